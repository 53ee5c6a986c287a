// What the activator's main thread and its request threads say to each other (decision 0018); plain
// data, cold. Admissions travel through the gates in shared memory instead, and wakes of a gate
// through a channel between every two threads, as the number of the revision.

import type { MessagePort } from 'node:worker_threads';
import type { CertificatePem } from '../../proxy/tls-server.ts';
import type { UpstreamOptions } from '../../proxy/types.ts';
import type { MetricSnapshot } from '../../telemetry/metric-series.ts';
import type { WakePhase } from '../../telemetry/wake.ts';
import type { TelemetryOptions } from '../activator-telemetry.ts';
import type { RevisionSettings } from '../revision-settings.ts';
import type { TlsPlaneOptions } from '../tls-plane.ts';
import type { PodState } from './throttler-team.ts';

/** Everything a request thread is made from (`workerData`). */
export interface ThreadStart {
  /** 1 to `threads` - 1; the main thread is 0. */
  readonly thread: number;
  readonly threads: number;
  readonly clusterDomain: string;
  readonly upstream: UpstreamOptions;
  /** Null = nothing is observed. */
  readonly telemetry: Omit<TelemetryOptions, 'output'> | null;
  /** Null = neither served nor spoken. */
  readonly tls: TlsPlaneOptions | null;
  /** Origin of the main thread's monotonic scale. */
  readonly originMs: number;
  /** One Int32: why probes fail, an index of HEALTH_PROBLEMS; 0 = they do not. */
  readonly health: SharedArrayBuffer;
  /** By thread, for wakes; null at the thread's own place. */
  readonly ports: readonly (MessagePort | null)[];
}

/** ACT-19, by number. */
export const HEALTH_PROBLEMS = [
  null,
  'received SIGTERM from kubelet',
  'connection has not yet been established',
] as const;

/** Where a thread listens: on a descriptor of its own, or joining a port by address. */
export type ThreadListen =
  | { readonly descriptor: number }
  | { readonly host: string; readonly port: number };

export interface RevisionStart {
  readonly kind: 'track';
  readonly id: number;
  readonly namespace: string;
  readonly name: string;
  /** '' = it belongs to none; so is the next one. */
  readonly service: string;
  readonly configuration: string;
  readonly settings: RevisionSettings;
  readonly passthroughHost: string | null;
  readonly gate: SharedArrayBuffer;
}

/** Asked of a thread; each is answered once, by a `reply` or a `failure` with the same id. */
export type ThreadTask =
  | {
      readonly do: 'listen';
      readonly where: readonly ThreadListen[];
      /** Null = no TLS port. */
      readonly tlsDescriptor: number | null;
    }
  /** Answered when no request is under way any more. */
  | { readonly do: 'drain' }
  /** Answered with a MetricSnapshot; so is the next one, with the last of them. */
  | { readonly do: 'snapshot' }
  | { readonly do: 'close' };

/** What main thread and threads know of one revision, as it changes. */
export type RevisionChange =
  | RevisionStart
  | { readonly kind: 'forget'; readonly id: number }
  | { readonly kind: 'settings'; readonly id: number; readonly settings: RevisionSettings }
  | {
      readonly kind: 'pods';
      readonly id: number;
      readonly version: number;
      readonly state: PodState;
      /** Slots of every listed pod. */
      readonly slots: readonly (readonly [dest: string, slots: SharedArrayBuffer])[];
    }
  /** A wake reached a phase only the main thread sees; `atMs` in Unix ms with fraction. */
  | {
      readonly kind: 'phase';
      readonly id: number;
      readonly phase: WakePhase;
      readonly atMs: number;
    };

export type ToThread =
  | { readonly kind: 'task'; readonly id: number; readonly task: ThreadTask }
  /** config-observability as it is now (ACT-9). */
  | { readonly kind: 'configured'; readonly data: Readonly<Record<string, string>> | undefined }
  /** To serve with from now on, and whom to trust (ACT-120, ACT-121); only with TLS. */
  | { readonly kind: 'certificate'; readonly pem: CertificatePem }
  | { readonly kind: 'trust'; readonly certificates: readonly string[] }
  | RevisionChange;

/** What a thread saw of one revision since its last report. */
export interface ThreadReport {
  readonly id: number;
  /** Concurrency times milliseconds. */
  readonly requestMs: number;
  readonly requestCount: number;
  readonly inside: number;
}

export type FromThread =
  | { readonly kind: 'reply'; readonly id: number; readonly metrics: MetricSnapshot }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string }
  | { readonly kind: 'published'; readonly id: number; readonly version: number }
  /** The first request of a revision this thread does not track. */
  | { readonly kind: 'arrived'; readonly id: number }
  | { readonly kind: 'reports'; readonly reports: readonly ThreadReport[] }
  | { readonly kind: 'suspect'; readonly id: number; readonly dest: string }
  | {
      readonly kind: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    }
  /** Whole lines of the request log or of traces, one char per byte. */
  | { readonly kind: 'lines'; readonly text: string };
