// What the main thread and its request threads say to each other; plain data, cold. Slots of the
// gate, statistics and the drain travel through shared memory instead (gate-team.ts,
// thread-cells.ts).

import type { MessagePort } from 'node:worker_threads';
import type { MetricSnapshot } from '../telemetry/metric-series.ts';
import type { QueueProxySettings } from './settings.ts';

/** Everything a request thread is made from (`workerData`). */
export interface ThreadStart {
  /** 1 to `threads` - 1; the main thread is 0. */
  readonly thread: number;
  readonly threads: number;
  readonly settings: QueueProxySettings;
  /** Origin of the main thread's monotonic scale. */
  readonly originMs: number;
  readonly cells: SharedArrayBuffer;
  /** Null = concurrency is unlimited. */
  readonly gate: SharedArrayBuffer | null;
  /** By thread, for wakes; null at the thread's own place. */
  readonly ports: readonly (MessagePort | null)[];
}

/** Where a thread listens: on a descriptor of its own, or joining a port by address. */
export type ThreadListen =
  | { readonly descriptor: number }
  | { readonly hosts: readonly string[]; readonly port: number };

/** Asked of a thread; each is answered once, by a `reply` with the same id. */
export type ThreadTask =
  | { readonly do: 'listen'; readonly where: ThreadListen }
  /** Answered when the server is drained (QP-121). */
  | { readonly do: 'drain' }
  /** Answered when no request is inside (QP-122). */
  | { readonly do: 'finish' }
  | { readonly do: 'close' }
  | { readonly do: 'snapshot' };

export type ToThread =
  | { readonly kind: 'task'; readonly id: number; readonly task: ThreadTask }
  | { readonly kind: 'probed'; readonly id: number; readonly ready: boolean };

export type LogMethod = 'debug' | 'info' | 'warn' | 'error';

export type FromThread =
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: unknown }
  /** A health check wants to know whether the app is ready (QP-104). */
  | { readonly kind: 'probe'; readonly id: number }
  | {
      readonly kind: 'log';
      readonly method: LogMethod;
      readonly fields: object;
      readonly message: string;
    }
  /** Whole lines of the request log, one char per byte. */
  | { readonly kind: 'lines'; readonly text: string };

export interface ThreadSnapshot {
  readonly metrics: MetricSnapshot;
  readonly rejectedCount: number;
}
