// Reads and writes the replica count of what a PodAutoscaler scales (AS-137, AS-199). Writes of one
// target go out one after the other in the order asked for, so that a wake from zero cannot be
// overtaken by an earlier "to zero". The cache may lag behind our own last write: until it has
// caught up, what was written counts as current.

import type { PodAutoscaler } from '../api/autoscaling.ts';
import type { Deployment } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { joinKey, type KubeObject, objectKey } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { isNotFound, type KubeClient, type Lister } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { logWakePhase } from '../telemetry/wake.ts';
import type { IdleFirst } from './idle-first.ts';

interface Written {
  replicas: number;
  /** Resource version of the target after our write; NaN = the server's are not numbers. */
  version: number;
}

type Scalable = KubeObject & { spec?: { replicas?: number } };

export interface ScaleTargetsOptions {
  client: KubeClient;
  deployments: Lister<Deployment>;
  clock: Clock;
  logger: Logger;
  /** Says which pods go when there are to be fewer; absent = the Deployment chooses. */
  idleFirst?: IdleFirst;
  /** A target at zero has a scale now; called after it was written and logged. */
  onWoken?: (key: string) => void;
}

export class ScaleTargets {
  readonly #options: ScaleTargetsOptions;
  /** By PodAutoscaler; both forgotten with it. */
  readonly #written = new Map<string, Written>();
  readonly #pending = new Map<string, Promise<void>>();

  constructor(options: ScaleTargetsOptions) {
    this.#options = options;
  }

  /** Sends nothing when the target already has so many replicas. Rejects with AS-137's errors. */
  scale(pa: PodAutoscaler, replicas: number): Promise<void> {
    const key = objectKey(pa);
    const before = this.#pending.get(key);
    // Without a write under way this one is sent before the call returns: a wake waits for it.
    const mine =
      before === undefined
        ? this.#write(key, pa, replicas)
        : before.catch(() => undefined).then(() => this.#write(key, pa, replicas));
    this.#pending.set(key, mine);
    const settle = (): void => {
      if (this.#pending.get(key) === mine) this.#pending.delete(key);
    };
    mine.then(settle, settle);
    return mine;
  }

  forget(key: string): void {
    this.#written.delete(key);
    this.#options.idleFirst?.forget(key);
  }

  async #write(key: string, pa: PodAutoscaler, replicas: number): Promise<void> {
    const { clock, logger, client, idleFirst } = this.#options;
    const kind = targetKind(pa);
    const { namespace } = pa.metadata;
    const { name } = pa.spec.scaleTargetRef;
    const cached = kind === kinds.Deployment ? this.#cached(pa) : await this.#read(pa, kind);
    const current = this.#currentReplicas(key, cached);
    if (current === replicas) return;
    if (0 < replicas && replicas < current) await idleFirst?.mark(key, current - replicas);
    try {
      const scale = await client.patch<KubeObject>(
        kind,
        { namespace, name },
        { type: 'json', body: [{ op: 'add', path: '/spec/replicas', value: replicas }] },
        { subresource: 'scale' },
      );
      const version = Number(scale.metadata.resourceVersion);
      this.#written.set(key, { replicas, version });
    } catch (error) {
      throw new Error(
        `failed to apply scale ${replicas} to scale target ${name}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    if (current === 0) {
      logWakePhase(logger, clock, key, 'scaled');
      this.#options.onWoken?.(key);
    }
    logger.info({ revision: key, from: current, to: replicas }, 'scaled');
  }

  #currentReplicas(key: string, target: Scalable): number {
    const written = this.#written.get(key);
    const seenVersion = Number(target.metadata.resourceVersion);
    if (written !== undefined && seenVersion < written.version) return written.replicas;
    return target.spec?.replicas ?? 1;
  }

  #cached(pa: PodAutoscaler): Scalable {
    const { name } = pa.spec.scaleTargetRef;
    const found = this.#options.deployments.getByKey(joinKey(pa.metadata.namespace, name));
    if (found === undefined) throw missingTarget(pa, `deployments.apps "${name}" not found`);
    return found;
  }

  async #read(pa: PodAutoscaler, kind: kinds.Kind): Promise<Scalable> {
    const { name } = pa.spec.scaleTargetRef;
    try {
      return await this.#options.client.get<Scalable>(kind, {
        namespace: pa.metadata.namespace,
        name,
      });
    } catch (error) {
      if (isNotFound(error)) this.#written.delete(objectKey(pa));
      throw missingTarget(pa, messageOf(error));
    }
  }
}

/** AS-137: the resource is the lower-cased kind plus `s`, plus `es` if it ends in `s`. */
function targetKind(pa: PodAutoscaler): kinds.Kind {
  const { apiVersion, kind } = pa.spec.scaleTargetRef;
  if (kind === kinds.Deployment.kind && apiVersion === kinds.apiVersionOf(kinds.Deployment)) {
    return kinds.Deployment;
  }
  const [group = '', version = ''] = apiVersion.includes('/')
    ? apiVersion.split('/')
    : ['', apiVersion];
  const singular = kind.toLowerCase();
  return {
    ...kinds.Deployment,
    group,
    version,
    kind,
    singular,
    plural: singular + (singular.endsWith('s') ? 'es' : 's'),
  };
}

function missingTarget(pa: PodAutoscaler, cause: string): Error {
  const { apiVersion, kind, name } = pa.spec.scaleTargetRef;
  return new Error(`failed to get scale target ${apiVersion} ${kind} ${name}: ${cause}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
