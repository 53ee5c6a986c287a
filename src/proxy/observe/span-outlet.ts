// Where a role's spans go and which requests have any, from its tracing settings (QP-157, QP-159,
// ACT-208): the same for every data-plane role. Cold: read once.

import type { LineSink } from '../../telemetry/line-output.ts';
import { resolveOtlpEndpoint } from '../../telemetry/otlp-endpoint.ts';
import { SpanExporter, type SpanExporterDeps } from '../../telemetry/span-exporter.ts';
import { createSampler, type Sampler } from '../../telemetry/trace-context.ts';

export interface TracingSettings {
  readonly protocol: 'http/protobuf' | 'grpc' | 'stdout';
  readonly endpoint: string;
  /** 0 to 1. */
  readonly rate: number;
}

export type OtelVariables = Readonly<Record<string, string | undefined>>;

/** `output` takes the lines of the stdout exporter. Throws on an endpoint that is no address. */
export function openSpanExporter(
  { protocol, endpoint }: TracingSettings,
  variables: OtelVariables,
  output: LineSink,
  deps: SpanExporterDeps,
): SpanExporter {
  const target =
    protocol === 'stdout' ? output : resolveOtlpEndpoint(protocol, 'traces', endpoint, variables);
  return new SpanExporter(target, deps);
}

export function samplerOf({ protocol, rate }: TracingSettings, variables: OtelVariables): Sampler {
  return createSampler({
    rate,
    isAlways: protocol === 'stdout',
    name: variables.OTEL_TRACES_SAMPLER ?? '',
    argument: variables.OTEL_TRACES_SAMPLER_ARG ?? '',
  });
}
