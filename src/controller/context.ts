// What every reconciler of this process shares.

import type { Clock } from '../clock/clock.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ConfigStore } from './config-store.ts';

export interface ControllerContext {
  readonly client: KubeClient;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  readonly config: ConfigStore;
}

/** RFC 3339, UTC, whole seconds: the form of every timestamp this process writes into objects. */
export function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
