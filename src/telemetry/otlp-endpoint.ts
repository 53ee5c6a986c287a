// Where OTLP goes and how (QP-9, QP-157): the configured endpoint, unless one of the
// OTEL_EXPORTER_OTLP_* endpoints is set, which then rule together with the SDK's other variables.
// Pure; parsed once, at start.

export type OtlpProtocol = 'http/protobuf' | 'grpc';
export type Signal = 'traces' | 'metrics';

export interface OtlpEndpoint {
  readonly protocol: OtlpProtocol;
  /** Complete URL of the export call. */
  readonly url: URL;
  /** Sent with every call; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly isGzip: boolean;
  /** File with the collector's certificate authority; '' = the system's. */
  readonly caFile: string;
}

export type OtelEnvironment = Readonly<Record<string, string | undefined>>;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_PORTS: Readonly<Record<OtlpProtocol, number>> = {
  'http/protobuf': 4318,
  grpc: 4317,
};
const GRPC_METHODS: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

/** Throws an Error that names what is wrong with the endpoint. */
export function resolveOtlpEndpoint(
  protocol: OtlpProtocol,
  signal: Signal,
  configured: string,
  env: OtelEnvironment,
): OtlpEndpoint {
  const setting = (name: string) =>
    env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`];
  const timeout = Number(setting('TIMEOUT') ?? DEFAULT_TIMEOUT_MS);
  return {
    protocol,
    url: endpointUrl(protocol, signal, configured, env),
    headers: parseHeaders(setting('HEADERS') ?? ''),
    timeoutMs: timeout > 0 ? timeout : DEFAULT_TIMEOUT_MS,
    isGzip: setting('COMPRESSION') === 'gzip',
    caFile: setting('CERTIFICATE') ?? '',
  };
}

function endpointUrl(
  protocol: OtlpProtocol,
  signal: Signal,
  configured: string,
  env: OtelEnvironment,
): URL {
  const own = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`] ?? '';
  const shared = env.OTEL_EXPORTER_OTLP_ENDPOINT ?? '';
  const other = env[`OTEL_EXPORTER_OTLP_${signal === 'traces' ? 'METRICS' : 'TRACES'}_ENDPOINT`];
  const isEnvironment = own !== '' || shared !== '' || (other ?? '') !== '';
  const fallback = `http://localhost:${DEFAULT_PORTS[protocol]}`;
  const text = isEnvironment ? own || shared || fallback : configured || fallback;
  const url = parseUrl(text);
  if (protocol === 'grpc') url.pathname = GRPC_METHODS[signal];
  else if (own === '' && shared !== '') {
    url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`;
  } else if (url.pathname === '/') url.pathname = `/v1/${signal}`;
  return url;
}

/** A bare `host:port`, as gRPC likes it, is plain text. */
function parseUrl(text: string): URL {
  const complete = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(complete) ? new URL(complete) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error(`OTLP endpoint ${JSON.stringify(text)} is not an http or https URL`);
  }
  return url;
}

/** `a=1,b=2`, values percent-encoded. */
function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const mark = pair.indexOf('=');
    if (mark <= 0) continue;
    const name = pair.slice(0, mark).trim().toLowerCase();
    headers[name] = decode(pair.slice(mark + 1).trim());
  }
  return headers;
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // Not percent-encoded after all: the value is meant as it stands.
  }
}
