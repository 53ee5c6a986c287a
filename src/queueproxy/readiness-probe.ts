// What SERVING_READINESS_PROBE asks for, parsed once at start (QP-93 to QP-98). The JSON is a
// Kubernetes Probe, or an array of them; ports may be numbers or strings. Entries that are null are
// skipped: a container without a probe has nothing to wait for.

export type ProbeAction =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | HttpProbeAction
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string }
  /** Cannot succeed; `reason` says why (QP-96). */
  | { readonly kind: 'impossible'; readonly reason: string };

export interface HttpProbeAction {
  readonly kind: 'http';
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Begins with one slash; the query is kept (QP-106). */
  readonly path: string;
  /** In order, duplicates kept (QP-107). */
  readonly headers: readonly (readonly [string, string])[];
}

export interface ReadinessProbe {
  readonly action: ProbeAction;
  /** QP-98: `periodSeconds` is 0. */
  readonly aggressive: boolean;
  /** Of one attempt in single-shot mode; 0 = no limit (QP-99). */
  readonly timeoutMs: number;
  /** Consecutive successes wanted in aggressive mode, at least 1. */
  readonly successThreshold: number;
}

/** Probes per pod; Kubernetes itself allows fewer containers than this. */
const MAX_PROBES = 100;
const LOOPBACK = '127.0.0.1';

type Json = Readonly<Record<string, unknown>>;

/**
 * `several`: the text is an array (ENABLE_MULTI_CONTAINER_PROBES). An empty text means no probe.
 * Throws an Error whose message says what is wrong.
 */
export function parseReadinessProbes(text: string, several: boolean): readonly ReadinessProbe[] {
  if (text === '') return [];
  const value: unknown = JSON.parse(text);
  if (several !== Array.isArray(value) && value !== null) {
    throw new Error(several ? 'expected an array of probes' : 'expected one probe object');
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > MAX_PROBES) throw new Error(`more than ${MAX_PROBES} probes`);
  return list
    .filter((entry) => entry !== null)
    .map((entry) => parseProbe(asObject(entry, 'probe')));
}

function parseProbe(probe: Json): ReadinessProbe {
  const periodSeconds = asNumber(probe.periodSeconds, 'periodSeconds');
  return Object.freeze({
    action: parseAction(probe),
    aggressive: periodSeconds === 0,
    timeoutMs: asNumber(probe.timeoutSeconds, 'timeoutSeconds') * 1000,
    successThreshold: Math.max(1, asNumber(probe.successThreshold, 'successThreshold')),
  });
}

/** QP-96: the first handler present wins. */
function parseAction(probe: Json): ProbeAction {
  if (isPresent(probe.httpGet)) return parseHttp(asObject(probe.httpGet, 'httpGet'));
  if (isPresent(probe.tcpSocket)) {
    const tcp = asObject(probe.tcpSocket, 'tcpSocket');
    return { kind: 'tcp', host: asText(tcp.host, 'host') || LOOPBACK, port: asPort(tcp.port) };
  }
  if (isPresent(probe.grpc)) {
    const grpc = asObject(probe.grpc, 'grpc');
    return {
      kind: 'grpc',
      port: asPort(grpc.port),
      service: asText(grpc.service, 'service'),
    };
  }
  const reason = isPresent(probe.exec) ? 'exec probe not supported' : 'no probe found';
  return { kind: 'impossible', reason };
}

function parseHttp(http: Json): HttpProbeAction {
  const scheme = asText(http.scheme, 'scheme').toUpperCase();
  if (scheme !== '' && scheme !== 'HTTP' && scheme !== 'HTTPS') {
    throw new Error(`unknown scheme ${JSON.stringify(scheme)}`);
  }
  const headers = http.httpHeaders ?? [];
  if (!Array.isArray(headers)) throw new Error('httpHeaders is not an array');
  return {
    kind: 'http',
    scheme: scheme === 'HTTPS' ? 'https' : 'http',
    host: asText(http.host, 'host') || LOOPBACK,
    port: asPort(http.port),
    path: `/${asText(http.path, 'path').replace(/^\//, '')}`,
    headers: headers.map((entry) => {
      const header = asObject(entry, 'header');
      return [asText(header.name, 'name'), asText(header.value, 'value')] as const;
    }),
  };
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function asObject(value: unknown, name: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new Error(`${name} is not an object`);
}

function asText(value: unknown, name: string): string {
  if (!isPresent(value)) return '';
  if (typeof value === 'string') return value;
  throw new Error(`${name} is not a string`);
}

function asNumber(value: unknown, name: string): number {
  if (!isPresent(value)) return 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new Error(`${name} is not a whole number`);
}

function asPort(value: unknown): number {
  const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65536) return port;
  throw new Error(`${JSON.stringify(value) ?? 'no value'} is not a port number`);
}
