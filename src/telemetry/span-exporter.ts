// Takes finished spans to where they are configured to go (QP-157): a collector over OTLP, or
// stdout as JSON lines. Encoder and transport are loaded with the first batch, so that a sidecar
// without traces to send never pays for them. Hot only in `export`, for sampled requests.

import type { Clock } from '../clock/clock.ts';
import { BatchQueue, type SendResult } from './batch-queue.ts';
import type { LineSink } from './line-output.ts';
import type { Labels } from './metric-series.ts';
import { type OtlpClient, openOtlpClient } from './otlp-client.ts';
import type { OtlpEndpoint } from './otlp-endpoint.ts';
import { type Span, SpanKind } from './span.ts';

export interface SpanExporterDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly resource: Labels;
  /** Told about every batch that was given up. */
  readonly onDrop: (spanCount: number, reason: string) => void;
}

export class SpanExporter {
  readonly #queue: BatchQueue<Span>;
  readonly #resource: Labels;
  readonly #clock: Clock;
  #client: Promise<OtlpClient> | null = null;

  /** `target` is a collector, or the sink of the stdout exporter. */
  constructor(target: OtlpEndpoint | LineSink, deps: SpanExporterDeps) {
    this.#resource = deps.resource;
    this.#clock = deps.clock;
    const send =
      'url' in target
        ? (spans: readonly Span[]) => this.#sendToCollector(target, spans)
        : (spans: readonly Span[]) => this.#print(target, spans);
    this.#queue = new BatchQueue({ ...deps, send });
  }

  get droppedCount(): number {
    return this.#queue.droppedCount;
  }

  export(span: Span): void {
    this.#queue.add(span);
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  async stop(): Promise<void> {
    this.#queue.stop();
    (await this.#client)?.close();
  }

  async #sendToCollector(endpoint: OtlpEndpoint, spans: readonly Span[]): Promise<SendResult> {
    this.#client ??= openOtlpClient(endpoint, this.#clock);
    const client = await this.#client;
    return client.send((encoder) => encoder.encodeSpans(this.#resource, spans));
  }

  #print(sink: LineSink, spans: readonly Span[]): Promise<SendResult> {
    for (const span of spans) {
      const text = JSON.stringify(printable(span, this.#resource));
      sink.write(`${Buffer.from(text, 'utf8').toString('latin1')}\n`);
    }
    return Promise.resolve({ kind: 'sent' });
  }
}

const STATUS = { true: 'Error', false: 'Unset' } as const;
const KIND_NAMES: Readonly<Record<SpanKind, string>> = {
  [SpanKind.INTERNAL]: 'internal',
  [SpanKind.SERVER]: 'server',
  [SpanKind.CLIENT]: 'client',
};

function printable(span: Span, resource: Labels): object {
  return {
    name: span.name,
    kind: KIND_NAMES[span.kind],
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentId,
    startTime: new Date(span.startMs).toISOString(),
    endTime: new Date(span.endMs).toISOString(),
    durationMs: Math.round((span.endMs - span.startMs) * 1e3) / 1e3,
    status: STATUS[`${span.isError}`],
    attributes: Object.fromEntries(span.attributes),
    resource: Object.fromEntries(resource),
  };
}
