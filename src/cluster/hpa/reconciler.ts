// HorizontalPodAutoscalers on a cluster that has no other controller for them: every period each
// object's metrics are read, the advice of the metric that asks for most is bounded and stabilised,
// and the target's scale is patched. What it cannot measure it says in a condition and changes
// nothing.

import type { Deployment, Pod } from '../../api/core.ts';
import {
  DEFAULT_MIN_REPLICAS,
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerStatus,
} from '../../api/horizontal-pod-autoscaler.ts';
import * as kinds from '../../api/kinds.ts';
import { joinKey, objectKey } from '../../api/objects.ts';
import type { PodUsageSource } from '../../api/pod-usage.ts';
import type { Clock } from '../../clock/clock.ts';
import { writeStatus } from '../../kube/status.ts';
import type { Informer, KubeClient, ReconcileResult, Reconciler } from '../../kube/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type HpaFacts, hpaStatus } from './hpa-status.ts';
import { type Measured, measure } from './metrics.ts';
import { DEFAULT_DOWN_WINDOW_SECONDS, Stabilizer } from './stabilizer.ts';

/** Kubernetes' own period. */
export const PERIOD_MS = 15_000;

export interface HpaDeps {
  client: KubeClient;
  hpas: Informer<HorizontalPodAutoscaler>;
  deployments: Informer<Deployment>;
  pods: Informer<Pod>;
  usage: PodUsageSource;
  clock: Clock;
  logger: Logger;
}

export class HpaReconciler implements Reconciler {
  readonly #deps: HpaDeps;
  /** By key, gone with the object; `dueMs` keeps a status write from bringing the next pass on. */
  readonly #kept = new Map<string, { uid: string; stabilizer: Stabilizer; dueMs: number }>();

  constructor(deps: HpaDeps) {
    this.#deps = deps;
  }

  watch(enqueue: (key: string) => void): void {
    this.#deps.hpas.onChange((current, previous) => {
      const object = current ?? previous;
      if (object !== null) enqueue(objectKey(object));
    });
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { hpas, clock } = this.#deps;
    const hpa = hpas.lister.getByKey(key);
    if (hpa === undefined || hpa.metadata.deletionTimestamp !== undefined) {
      this.#kept.delete(key);
      return undefined;
    }
    const kept = this.#keptFor(key, hpa);
    const nowMs = clock.monotonicMs();
    const isObserved = hpa.status?.observedGeneration === hpa.metadata.generation;
    if (isObserved && nowMs < kept.dueMs) return { requeueAfterMs: kept.dueMs - nowMs };
    kept.dueMs = nowMs + PERIOD_MS;
    await this.#pass(hpa, kept.stabilizer);
    return { requeueAfterMs: PERIOD_MS };
  }

  #keptFor(key: string, hpa: HorizontalPodAutoscaler) {
    const uid = hpa.metadata.uid ?? '';
    const existing = this.#kept.get(key);
    if (existing?.uid === uid) return existing;
    const made = { uid, stabilizer: new Stabilizer(), dueMs: Number.NEGATIVE_INFINITY };
    this.#kept.set(key, made);
    return made;
  }

  async #pass(hpa: HorizontalPodAutoscaler, stabilizer: Stabilizer): Promise<void> {
    const { client, clock } = this.#deps;
    const facts = this.#decide(hpa, stabilizer);
    let failure: unknown = null;
    if (facts.desired !== facts.current) failure = await this.#scale(hpa, facts);
    const scaleError = failure instanceof Error ? failure.message : null;
    const nowMs = clock.nowMs();
    const status: HorizontalPodAutoscalerStatus = hpaStatus(hpa, { ...facts, scaleError }, nowMs);
    await writeStatus(client, kinds.HorizontalPodAutoscaler, hpa, status, clock);
    if (failure !== null) throw failure;
  }

  #decide(hpa: HorizontalPodAutoscaler, stabilizer: Stabilizer): HpaFacts {
    const { namespace } = hpa.metadata;
    const { scaleTargetRef, minReplicas = DEFAULT_MIN_REPLICAS, maxReplicas, behavior } = hpa.spec;
    const key = joinKey(namespace, scaleTargetRef.name);
    const isDeployment = scaleTargetRef.kind === kinds.Deployment.kind;
    const target = isDeployment ? this.#deps.deployments.lister.getByKey(key) : undefined;
    const nothing = { measured: null, bound: null, scaleError: null };
    if (target === undefined) {
      const missing = `the scale target ${scaleTargetRef.kind} ${scaleTargetRef.name} is not there`;
      return { ...nothing, current: 0, desired: 0, missing };
    }
    const current = target.spec.replicas ?? 1;
    // Scaled to nothing by somebody: that is left alone, as Kubernetes does.
    if (current === 0) return { ...nothing, current, desired: 0, missing: null };
    const measured = measure(hpa, this.#podsOf(target), current, this.#deps.usage);
    const advised = adviceOf(measured, current);
    const rules = {
      upWindowMs: (behavior?.scaleUp?.stabilizationWindowSeconds ?? 0) * 1000,
      downWindowMs:
        (behavior?.scaleDown?.stabilizationWindowSeconds ?? DEFAULT_DOWN_WINDOW_SECONDS) * 1000,
    };
    const wanted = stabilizer.next(current, advised, rules, this.#deps.clock.monotonicMs());
    const desired = Math.min(maxReplicas, Math.max(minReplicas, wanted));
    const bound = wanted > maxReplicas ? 'max' : wanted < minReplicas ? 'min' : null;
    return { ...nothing, current, desired, measured, bound, missing: null };
  }

  #podsOf(target: Deployment): Pod[] {
    return [...this.#deps.pods.lister.byOwner(target.metadata.uid ?? '')];
  }

  async #scale(hpa: HorizontalPodAutoscaler, facts: HpaFacts): Promise<unknown> {
    const { client, logger } = this.#deps;
    const { namespace } = hpa.metadata;
    const { name } = hpa.spec.scaleTargetRef;
    const body = [{ op: 'add', path: '/spec/replicas', value: facts.desired }];
    try {
      await client.patch(
        kinds.Deployment,
        { namespace, name },
        { type: 'json', body },
        { subresource: 'scale' },
      );
      const { current: from, desired: to } = facts;
      logger.info({ hpa: objectKey(hpa), from, to }, 'scaled');
      return null;
    } catch (error) {
      return error;
    }
  }
}

/** The metric that asks for most decides; one that cannot be read never takes pods away. */
function adviceOf(measured: readonly Measured[], current: number): number {
  const known = measured.flatMap(({ advice }) => (advice === null ? [] : [advice.replicas]));
  if (known.length === 0) return current;
  const most = Math.max(...known);
  return known.length < measured.length ? Math.max(most, current) : most;
}
