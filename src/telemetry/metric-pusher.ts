// Pushes all metrics to a collector every interval, and once more at the end (QP-11, QP-123).
// Values are cumulative, so a push that fails costs nothing but its moment: the next one brings
// everything. Cold.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { Labels, MetricSnapshot } from './metric-series.ts';
import { type OtlpClient, openOtlpClient } from './otlp-client.ts';
import type { OtlpEndpoint } from './otlp-endpoint.ts';

export interface MetricPusherDeps {
  readonly clock: Clock;
  readonly resource: Labels;
  readonly intervalMs: number;
  readonly collect: () => Promise<MetricSnapshot>;
  /** Told about every push that did not arrive. */
  readonly onFailure: (reason: string) => void;
}

export class MetricPusher {
  readonly #endpoint: OtlpEndpoint;
  readonly #deps: MetricPusherDeps;
  readonly #startMs: number;
  readonly #ticker: TimerHandle;
  #client: Promise<OtlpClient> | null = null;
  /** One push at a time; a tick that finds one under way is left out. */
  #push: Promise<void> | null = null;

  constructor(endpoint: OtlpEndpoint, deps: MetricPusherDeps) {
    this.#endpoint = endpoint;
    this.#deps = deps;
    this.#startMs = deps.clock.preciseNowMs();
    this.#ticker = deps.clock.setTicker(deps.intervalMs, () => void this.push(), {
      background: true,
    });
  }

  /** Resolves when the collector has answered, whatever it said. */
  push(): Promise<void> {
    this.#push ??= this.#send().finally(() => {
      this.#push = null;
    });
    return this.#push;
  }

  async stop(): Promise<void> {
    this.#ticker.cancel();
    (await this.#client)?.close();
  }

  async #send(): Promise<void> {
    const { clock, resource, collect, onFailure } = this.#deps;
    this.#client ??= openOtlpClient(this.#endpoint, clock);
    const client = await this.#client;
    const snapshot = await collect();
    const moment = { startMs: this.#startMs, nowMs: clock.preciseNowMs() };
    const result = await client.send((encoder) =>
      encoder.encodeMetrics(resource, snapshot, moment),
    );
    if (result.kind !== 'sent') onFailure(result.reason);
  }
}
