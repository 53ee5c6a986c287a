// Starts the autoscaler role: the Autoscaler and, in front of it, the stat socket. Everything it
// needs is handed in; it reads neither environment nor command line.

import { availableParallelism } from 'node:os';
import type { Clock } from '../clock/clock.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ResolveService } from './activator-probe.ts';
import { Autoscaler, type AutoscalerGroup } from './autoscaler.ts';
import { createDecisionPool } from './decision-pool.ts';
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
  /** What several autoscalers share; absent = this is the only one. */
  group?: AutoscalerGroup;
}

export interface RunningAutoscaler {
  /** Where the stat socket listens. */
  port: number;
  stop(): Promise<void>;
}

/** Resolves when the caches are filled and the stat socket listens; rejects when it cannot bind. */
export async function startAutoscaler(options: AutoscalerStartOptions): Promise<RunningAutoscaler> {
  const threads = options.decisionThreads ?? Math.max(1, availableParallelism() - 1);
  const logger = options.logger.child({ pod: options.podName });
  const autoscaler = new Autoscaler({
    ...options,
    logger,
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
      onStats: (messages) => autoscaler.stats(messages),
      decisions: (key) => autoscaler.decisions(key),
      overview: () => autoscaler.overview(),
      ownsBucket: (bucket) => autoscaler.ownsBucket(bucket),
      subscribe: (bucket, sink) => autoscaler.subscribe(bucket, sink),
    });
    return {
      port: server.port,
      async stop() {
        await server.stop();
        await autoscaler.stop();
      },
    };
  } catch (error) {
    await autoscaler.stop();
    throw error;
  }
}
