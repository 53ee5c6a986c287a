// What every reconciler of this process shares.

import type { Clock } from '../clock/clock.ts';
import type { ConfigStore } from '../kube/config-store.ts';
import type { InformerFactory, KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DigestResolver } from './revision/digest/queue.ts';

export interface ControllerContext {
  readonly client: KubeClient;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly systemNamespace: string;
  readonly clusterDomain: string;
  readonly config: ConfigStore;
  /** null = the node resolves images, and an image stands for itself (CP-164). */
  readonly digests: DigestResolver | null;
  /** Whether anything reads Image objects (CP-190). */
  readonly hasImageCaches: boolean;
}

/** RFC 3339, UTC, whole seconds: the form of every timestamp this process writes into objects. */
export function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
