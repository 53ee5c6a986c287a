// Starts the autoscaler role: the Autoscaler and, in front of it, the stat socket. Everything it
// needs is handed in; it reads neither environment nor command line.

import { availableParallelism } from 'node:os';
import type { Clock } from '../clock/clock.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ResolveService } from './activator-probe.ts';
import { Autoscaler, type AutoscalerGroup } from './autoscaler.ts';
import type { MetricNames } from './autoscaler-metrics.ts';
import { createDecisionPool } from './decision-pool.ts';
import { MetricsOutlet, type MetricsOutletOptions } from './metrics-outlet.ts';
import { startStatServer } from './stat-server.ts';

export interface AutoscalerStartOptions {
  client: KubeClient;
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  /** Yields [0, 1). */
  random: () => number;
  systemNamespace: string;
  clusterDomain: string;
  /** Address of the stat socket. */
  host: string;
  /** 0 = any free port. */
  port: number;
  /** For logs. */
  podName: string;
  /** Address of a service port, for the activator probe of AS-135; null = unknown. */
  resolveService: ResolveService;
  /** Threads for ticks of more than 1,000 revisions; they start with the first such tick. */
  decisionThreads?: number;
  /** How long a PodAutoscaler rests between two passes, in ms. Default 0. */
  restMs?: number;
  /** What several autoscalers share; absent = this is the only one. */
  group?: AutoscalerGroup;
  /** AS-186; absent = metrics are neither served nor pushed, whatever config-observability says. */
  metrics?: AutoscalerMetricsSettings;
}

export interface AutoscalerMetricsSettings
  extends Pick<MetricsOutletOptions, 'host' | 'port' | 'configName' | 'variables' | 'resource'> {
  names: MetricNames;
}

export interface RunningAutoscaler {
  /** Where the stat socket listens. */
  port: number;
  /** Where metrics are served now; null = nowhere. */
  metricsPort(): number | null;
  stop(): Promise<void>;
}

/** Resolves when the caches are filled and the stat socket listens; rejects when it cannot bind. */
export async function startAutoscaler(options: AutoscalerStartOptions): Promise<RunningAutoscaler> {
  const threads = options.decisionThreads ?? Math.max(1, availableParallelism() - 1);
  const logger = options.logger.child({ pod: options.podName });
  let tellWakes: (text: string) => void = () => undefined;
  const autoscaler = new Autoscaler({
    ...options,
    logger,
    onWakeNotice: (text) => tellWakes(text),
    pool: threads > 0 ? createDecisionPool(threads) : null,
  });
  await options.informers.start();
  autoscaler.start();
  try {
    const server = await startStatServer({
      host: options.host,
      port: options.port,
      clock: options.clock,
      logger,
      onFrame: (bytes) => autoscaler.statFrame(bytes),
      decisions: (key) => autoscaler.decisions(key),
      overview: () => autoscaler.overview(),
      ownsBucket: (bucket) => autoscaler.ownsBucket(bucket),
      subscribe: (bucket, sink) => autoscaler.subscribe(bucket, sink),
    });
    tellWakes = server.tellWakes;
    const outlet = openMetrics(options, autoscaler);
    return {
      port: server.port,
      metricsPort: () => outlet?.port ?? null,
      async stop() {
        await server.stop();
        await outlet?.stop();
        await autoscaler.stop();
      },
    };
  } catch (error) {
    await autoscaler.stop();
    throw error;
  }
}

function openMetrics(
  options: AutoscalerStartOptions,
  autoscaler: Autoscaler,
): MetricsOutlet | null {
  const { metrics } = options;
  if (metrics === undefined) return null;
  const collect = () => autoscaler.metrics.snapshot(metrics.names);
  return new MetricsOutlet({ ...options, ...metrics, collect });
}
