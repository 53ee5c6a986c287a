// Makes the pods of a Deployment what its spec says (CP-516): one pass reads the cache and what is
// in flight, plans, creates and removes pods, then writes the status. On the path of a wake from
// zero: a pass that creates pods does nothing else, the status follows with the pass their arrival
// in the cache asks for.

import type { Deployment, Pod } from '../../api/core.ts';
import { Deployment as DeploymentKind, Pod as PodKind } from '../../api/kinds.ts';
import { controllerOf, joinKey, objectKey, splitKey } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import { writeStatus } from '../../kube/status.ts';
import {
  ApiError,
  type Informer,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeClient,
  type ReconcileResult,
  type Reconciler,
} from '../../kube/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { deploymentStatus, progressLeftMs } from './deployment-status.ts';
import { buildPod, randomPodName } from './pod-template.ts';
import { PodsInFlight } from './pods-in-flight.ts';
import { planReplicas } from './replica-plan.ts';
import { seePods } from './seen-pods.ts';

/**
 * Creations sent together; doubles with every batch that succeeds, so a refusal costs few requests.
 */
const FIRST_CREATE_BATCH = 8;
/** Creations or removals of one pass; the rest follows in the next. */
export const MAX_CHANGES_PER_PASS = 500;

export interface DeploymentDeps {
  client: KubeClient;
  deployments: Informer<Deployment>;
  pods: Informer<Pod>;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** Node every pod is bound to when created; absent leaves that to others. */
  nodeName?: string | undefined;
}

interface Flight {
  uid: string;
  pods: PodsInFlight;
}

export class DeploymentReconciler implements Reconciler {
  readonly #deps: DeploymentDeps;
  /** By key; entries go with their Deployment. */
  readonly #flights = new Map<string, Flight>();

  constructor(deps: DeploymentDeps) {
    this.#deps = deps;
  }

  /** Calls `enqueue` with the key of every Deployment something happened to. */
  watch(enqueue: (key: string) => void): void {
    const { deployments, pods } = this.#deps;
    deployments.onChange((current, previous) => {
      const object = current ?? previous;
      if (object !== null) enqueue(objectKey(object));
    });
    pods.onChange((current, previous) => {
      const pod = current ?? previous;
      const key = pod === null ? undefined : deploymentKeyOf(pod);
      if (pod === null || key === undefined) return;
      this.#flights.get(key)?.pods.seen(pod.metadata.name);
      enqueue(key);
    });
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { client, clock, deployments } = this.#deps;
    const deployment = deployments.lister.getByKey(key);
    if (deployment === undefined) {
      this.#flights.delete(key);
      return undefined;
    }
    if (deployment.metadata.deletionTimestamp !== undefined) return undefined;
    const flight = this.#flightOf(key, deployment);
    const nowMs = clock.nowMs();
    const { created, notCreated, notRemoved } = await this.#makeReplicas(deployment, flight, nowMs);
    // Each new pod brings another pass, which writes the status: the pods' start comes before it.
    if (created > 0 && notCreated === null && notRemoved === null) return undefined;
    const seen = seePods(deployment.spec, this.#podsOf(deployment, flight), nowMs);
    const isRefused = notCreated instanceof ApiError && !isAlreadyExists(notCreated);
    const refusal = isRefused ? notCreated : null;
    const status = deploymentStatus(deployment, seen, refusal, nowMs);
    await writeStatus(client, DeploymentKind, deployment, status, clock);
    const failure = notCreated ?? notRemoved;
    if (failure !== null) throw failure;
    const deadlineMs = progressLeftMs({ ...deployment, status }, nowMs);
    const againMs = Math.min(deadlineMs, seen.nextAvailableInMs ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(againMs) ? { requeueAfterMs: Math.max(1, againMs) } : undefined;
  }

  #flightOf(key: string, deployment: Deployment): PodsInFlight {
    const uid = deployment.metadata.uid ?? '';
    let flight = this.#flights.get(key);
    if (flight === undefined || flight.uid !== uid) {
      flight = { uid, pods: new PodsInFlight() };
      this.#flights.set(key, flight);
    }
    return flight.pods;
  }

  #podsOf(deployment: Deployment, flight: PodsInFlight): Pod[] {
    const cached = this.#deps.pods.lister.byOwner(deployment.metadata.uid ?? '');
    return flight.over(cached, this.#deps.clock.nowMs());
  }

  /** Returns the first reason why something planned could not be done; null = it was. */
  async #makeReplicas(
    deployment: Deployment,
    flight: PodsInFlight,
    nowMs: number,
  ): Promise<{ created: number; notCreated: Error | null; notRemoved: Error | null }> {
    const seen = seePods(deployment.spec, this.#podsOf(deployment, flight), nowMs);
    const plan = planReplicas(deployment.spec, seen);
    const created = Math.min(plan.create, MAX_CHANGES_PER_PASS);
    const [notCreated, notRemoved] = await Promise.all([
      this.#createPods(deployment, flight, created),
      this.#removePods(plan.remove.slice(0, MAX_CHANGES_PER_PASS), flight),
    ]);
    return { created, notCreated, notRemoved };
  }

  async #createPods(
    deployment: Deployment,
    flight: PodsInFlight,
    count: number,
  ): Promise<Error | null> {
    let left = count;
    for (let batch = FIRST_CREATE_BATCH; left > 0; batch *= 2) {
      const size = Math.min(left, batch);
      const creations = Array.from({ length: size }, () => this.#createPod(deployment, flight));
      const failure = (await Promise.all(creations)).find((error) => error !== null);
      if (failure !== undefined) return failure;
      left -= size;
    }
    return null;
  }

  async #createPod(deployment: Deployment, flight: PodsInFlight): Promise<Error | null> {
    const { client, clock, random, nodeName } = this.#deps;
    const name = flight.takeRetryName() ?? randomPodName(deployment.metadata.name, random);
    const pod = buildPod(deployment, name, nodeName);
    flight.creating(pod, clock.nowMs());
    try {
      flight.created(await client.create(PodKind, pod));
      return null;
    } catch (error) {
      flight.notCreated(name, !(error instanceof ApiError));
      return error as Error;
    }
  }

  async #removePods(pods: readonly Pod[], flight: PodsInFlight): Promise<Error | null> {
    const results = await Promise.all(pods.map((pod) => this.#removePod(pod, flight)));
    return results.find((error) => error !== null) ?? null;
  }

  async #removePod(pod: Pod, flight: PodsInFlight): Promise<Error | null> {
    const { client, clock } = this.#deps;
    const { namespace, name, uid } = pod.metadata;
    if (uid === undefined) return null; // Its creation has not come back; its arrival asks again.
    flight.removing(uid, clock.nowMs());
    try {
      await client.delete(PodKind, { namespace, name }, { uid });
      return null;
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return null; // Gone, or another by that name.
      flight.notRemoved(uid);
      return error as Error;
    }
  }
}

/** The Deployment that controls a pod, by key. */
function deploymentKeyOf(pod: Pod): string | undefined {
  const owner = controllerOf(pod);
  if (owner?.kind !== 'Deployment') return undefined;
  return joinKey(splitKey(objectKey(pod)).namespace, owner.name);
}
