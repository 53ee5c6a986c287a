// Connects telemetry to a running activator: what it observes, what it counts, where both are to be
// had; and the autoscaler's part of a wake to the timeline it belongs to. Wiring, as start.ts.

import type { Revision } from '../api/serving.ts';
import type { Clock } from '../clock/clock.ts';
import type { Informer } from '../kube/types.ts';
import { mergeSnapshots } from '../telemetry/metric-series.ts';
import type { StatClient } from '../wire/stat-client.ts';
import { decodeWakeNotice } from '../wire/wake-notice.ts';
import { ActivatorTelemetry } from './activator-telemetry.ts';
import type { ConcurrencyReporter } from './concurrency-reporter.ts';
import type { ActivatorHandler } from './handler.ts';
import { directoryOf } from './observed-revision.ts';
import { Outlets } from './outlets.ts';
import type { RequestPorts } from './request-ports.ts';
import type { RevisionRegistry } from './revision-registry.ts';
import type { ActivatorOptions } from './start.ts';
import type { ActivatorThreads } from './threads/activator-threads.ts';
import type { ActivatorTls } from './tls.ts';

export interface ActivatorParts {
  readonly revisions: Informer<Revision>;
  readonly handler: ActivatorHandler;
  readonly reporter: ConcurrencyReporter;
  readonly stats: StatClient;
  readonly ports: RequestPorts;
  /** Null with one thread. */
  readonly threads: ActivatorThreads | null;
  /** Null without TLS inside the system. */
  readonly tls: ActivatorTls | null;
}

export interface RunningTelemetry {
  /** Null = metrics are not served. */
  readonly metricsPort: number | null;
  configured(data: Readonly<Record<string, string>> | undefined): void;
  /** The last metrics, spans and log lines leave, ten seconds each at most. */
  stop(): Promise<void>;
}

/** Null = nothing is to be observed. Rejects when the metrics port cannot be had. */
export async function startTelemetry(
  { telemetry: settings, clock, logger, random, host }: ActivatorOptions,
  { revisions, handler, reporter, stats, ports, threads, tls }: ActivatorParts,
): Promise<RunningTelemetry | null> {
  if (settings === undefined) return null;
  const deps = { revisions: directoryOf(revisions), clock, logger, random };
  const telemetry = new ActivatorTelemetry(settings, deps);
  threads?.observe(telemetry);
  const ownSnapshot = () =>
    telemetry.snapshot({
      forwards: handler.counts,
      isConnected: stats.isConnected,
      lostConnections: stats.lostCount,
      rejected: ports.rejectedCount + (tls?.server?.rejectedCount ?? 0),
    });
  const collect = async () =>
    mergeSnapshots([ownSnapshot(), ...((await threads?.snapshots()) ?? [])]);
  const outlets =
    settings.outlets === undefined
      ? null
      : new Outlets(
          telemetry.config,
          { ...settings, ...settings.outlets, host },
          { clock, logger, collect },
        );
  const attach = (): void => {
    handler.observer = telemetry.observer.isNeeded ? telemetry.observer : null;
  };
  telemetry.onChange = (config) => {
    attach();
    outlets?.configured(config);
  };
  attach();
  if (telemetry.isMeasured) {
    reporter.onReport = ({ namespace, name }, average) =>
      telemetry.noteConcurrency(namespace, name, average);
  }
  await outlets?.start();
  return {
    metricsPort: outlets?.metricsPort ?? null,
    configured(data) {
      telemetry.configured(data);
      threads?.configured(data);
    },
    async stop() {
      await outlets?.stop();
      await telemetry.stop();
    },
  };
}

/** A text of the autoscaler: when it decided and scaled, as ages. */
export function noteWake(registry: RevisionRegistry, clock: Clock, text: string): void {
  const notice = decodeWakeNotice(text);
  if (notice === null) return;
  const { revision, decidedAgoMs, scaledAgoMs } = notice;
  const slash = revision.indexOf('/');
  const throttler = registry.find(revision.slice(0, slash), revision.slice(slash + 1));
  const nowMs = clock.preciseNowMs();
  throttler?.wake.scaled(nowMs - decidedAgoMs, nowMs - scaledAgoMs);
}
