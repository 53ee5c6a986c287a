// The part of OBSERVABILITY_CONFIG the sidecar acts on (QP-11). Unknown keys are ignored, invalid
// JSON and unknown protocols are fatal, and what a stock sidecar could do but this one cannot is
// named in `warnings` so that nobody waits for data that never comes.

export interface ObservabilitySettings {
  /** Where to serve Prometheus text; host '' = all interfaces, port 0 = the default one. */
  readonly prometheus: { readonly host: string; readonly port: number } | null;
  readonly warnings: readonly string[];
}

const PROTOCOLS = new Set(['none', 'prometheus', 'http/protobuf', 'grpc', '']);
const TRACING_PROTOCOLS = new Set(['none', 'stdout', 'http/protobuf', 'grpc', '']);
const MIN_ENDPOINT_PORT = 1024;

type Json = Readonly<Record<string, unknown>>;

/** `text` '' means all defaults. Throws an Error whose message says what is wrong. */
export function parseObservability(text: string): ObservabilitySettings {
  const config = text === '' ? {} : section(JSON.parse(text), 'OBSERVABILITY_CONFIG');
  const metrics = section(config.requestMetrics, 'requestMetrics');
  const tracing = section(config.tracing, 'tracing');
  const runtime = section(config.runtime, 'runtime');
  const protocol = word(metrics, 'protocol');
  if (!PROTOCOLS.has(protocol)) throw new Error(`unsupported metrics protocol "${protocol}"`);
  const tracingProtocol = word(tracing, 'protocol');
  if (!TRACING_PROTOCOLS.has(tracingProtocol)) {
    throw new Error(`unsupported tracing protocol "${tracingProtocol}"`);
  }
  const warnings: string[] = [];
  if (protocol === 'grpc' || protocol === 'http/protobuf') {
    warnings.push(`requestMetrics.protocol ${protocol} is not supported, request metrics are off`);
  }
  if (tracingProtocol !== 'none' && tracingProtocol !== '') {
    warnings.push(`tracing.protocol ${tracingProtocol} is not supported, tracing is off`);
  }
  if (config.enableRequestLog === true) {
    warnings.push('enableRequestLog is not supported, there is no request log');
  }
  if (word(runtime, 'profiling') === 'enabled') {
    warnings.push('runtime.profiling is not supported, port 8008 stays closed');
  }
  const prometheus = protocol === 'prometheus' ? parseEndpoint(word(metrics, 'endpoint')) : null;
  return Object.freeze({ prometheus, warnings });
}

function parseEndpoint(endpoint: string): { host: string; port: number } {
  if (endpoint === '') return { host: '', port: 0 };
  const [, host = '', digits = ''] = /^(.*):(\d{1,5})$/.exec(endpoint) ?? [];
  const port = Number(digits);
  if (digits === '' || port < MIN_ENDPOINT_PORT || port > 65535) {
    throw new Error(
      `requestMetrics.endpoint "${endpoint}" is not host:port with port 1024 to 65535`,
    );
  }
  return { host: host.replace(/^\[|\]$/g, ''), port };
}

function section(value: unknown, name: string): Json {
  if (value === undefined || value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw new Error(`${name} is not an object`);
}

function word(json: Json, key: string): string {
  const value = json[key];
  return typeof value === 'string' ? value : '';
}
