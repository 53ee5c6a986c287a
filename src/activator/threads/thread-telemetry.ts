// Request log, metrics and traces of one request thread (decision 0018): the same observer as the
// main thread's, from the same settings, attached while it has anything to see. Spans leave from
// here, lines through the main thread; metrics are added up there. Cold.

import type { MetricSnapshot } from '../../telemetry/metric-series.ts';
import {
  ActivatorTelemetry,
  type TelemetryDeps,
  type TelemetryOptions,
} from '../activator-telemetry.ts';
import type { ActivatorHandler } from '../handler.ts';

export class ThreadTelemetry {
  readonly #telemetry: ActivatorTelemetry;
  readonly #handler: ActivatorHandler;

  constructor(options: TelemetryOptions, deps: TelemetryDeps, handler: ActivatorHandler) {
    this.#telemetry = new ActivatorTelemetry(options, deps);
    this.#handler = handler;
    this.#telemetry.onChange = () => this.#attach();
    this.#attach();
  }

  configured(data: Readonly<Record<string, string>> | undefined): void {
    this.#telemetry.configured(data);
  }

  /** Without what is the same in every thread. `rejected`: requests refused for their framing. */
  snapshot(rejected: number): MetricSnapshot {
    const forwards = this.#handler.counts;
    return this.#telemetry.requestSnapshot({ forwards, rejected }, false);
  }

  /** Lets out what is still inside, for at most ten seconds. */
  stop(): Promise<void> {
    return this.#telemetry.stop();
  }

  #attach(): void {
    const { observer } = this.#telemetry;
    this.#handler.observer = observer.isNeeded ? observer : null;
  }
}
