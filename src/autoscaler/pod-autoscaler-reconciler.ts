// PodAutoscalers of class KPA (AS-118 to AS-125): children and Decider made so, scale applied, SKS
// mode chosen, status computed. `scaleNow` is the short way of a wake from zero: the recommendation
// goes to the scale target at once, and the full pass follows behind it.

import type { PodAutoscaler, PodAutoscalerStatus } from '../api/autoscaling.ts';
import { readClass } from '../api/autoscaling-annotations.ts';
import {
  CONDITION_SETS,
  type ConditionManager,
  findCondition,
  isReady,
  READY,
} from '../api/conditions.ts';
import * as kinds from '../api/kinds.ts';
import { KPA_CLASS } from '../api/labels.ts';
import type { ServerlessService } from '../api/networking.ts';
import { runWithStatus, type StatusPassDeps, stepError } from '../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  activatorCount,
  backedByActivatorForMs,
  MIN_ACTIVATORS,
  sksMode,
} from './activator-path.ts';
import type { ActivatorProbe } from './activator-probe.ts';
import type { ChildWriter } from './child-writer.ts';
import type { ConfigWatch } from './config-watch.ts';
import type { Decider, DeciderSpec, Deciders } from './deciders.ts';
import { type EffectiveSettings, effectiveSettings } from './effective-settings.ts';
import {
  ACTIVE,
  computeScaleStatus,
  SCALE_TARGET_INITIALIZED,
  SKS_READY,
} from './pod-autoscaler-status.ts';
import type { PodCounter } from './pod-counter.ts';
import {
  type ActiveState,
  bindingBound,
  boundScale,
  planScale,
  type ScalePlanInput,
} from './scale-plan.ts';
import type { ScaleTargets } from './scale-target.ts';

/** AS-136: after a background probe has ended. */
const RECHECK_AFTER_PROBE_MS = 1000;

type OwnPodAutoscaler = PodAutoscaler & { status: PodAutoscalerStatus };

export interface PodAutoscalerDeps extends StatusPassDeps {
  lister: Lister<PodAutoscaler>;
  sksLister: Lister<ServerlessService>;
  config: ConfigWatch;
  deciders: Deciders;
  pods: PodCounter;
  children: ChildWriter;
  targets: ScaleTargets;
  probe: ActivatorProbe;
  logger: Logger;
  enqueueAfter: (key: string, delayMs: number) => void;
}

interface Applied {
  /** AS-138. */
  wanted: number;
  requeueAfterMs?: number;
}

export class PodAutoscalerReconciler implements Reconciler {
  readonly #deps: PodAutoscalerDeps;

  constructor(deps: PodAutoscalerDeps) {
    this.#deps = deps;
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const cached = this.#deps.lister.getByKey(key);
    if (cached === undefined || readClass(cached.metadata.annotations) !== KPA_CLASS) {
      this.#deps.deciders.delete(key);
      this.#deps.targets.forget(key);
      return undefined;
    }
    if (cached.metadata.deletionTimestamp !== undefined) return undefined;
    const requeueAfterMs = await runWithStatus(
      this.#deps,
      kinds.PodAutoscaler,
      CONDITION_SETS.PodAutoscaler,
      cached,
      (pa, conditions) => this.#step(key, pa, conditions),
    );
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
  }

  /**
   * AS-155: the scale of a poked revision, before anything else. False = it is left to the pass.
   */
  async scaleNow(key: string): Promise<boolean> {
    const pa = this.#deps.lister.getByKey(key);
    const decider = this.#deps.deciders.get(key);
    if (pa === undefined || decider === undefined || decider.recommendation <= 0) return false;
    const wasInitialized = findCondition(pa, SCALE_TARGET_INITIALIZED)?.status === 'True';
    const wanted = boundScale(decider.recommendation, this.#settings(pa), wasInitialized);
    try {
      await this.#deps.targets.scale(pa, wanted);
      return true;
    } catch (error) {
      this.#deps.logger.warn({ error, revision: key }, 'cannot scale at once');
      return false;
    }
  }

  #settings(pa: PodAutoscaler): EffectiveSettings {
    const { config } = this.#deps;
    return effectiveSettings(pa, config.autoscaler, config.progressDeadlineMs);
  }

  async #step(
    key: string,
    pa: OwnPodAutoscaler,
    conditions: ConditionManager,
  ): Promise<number | undefined> {
    const settings = this.#settings(pa);
    const sks = this.#deps.sksLister.getByKey(key);
    if (!sks?.status?.privateServiceName) {
      await this.#reconcileSks(pa, conditions, 'Proxy', MIN_ACTIVATORS);
      conditions.markUnknown(SKS_READY, 'NotReady', 'No Private Service Name');
      computeScaleStatus(pa.status, conditions, settings, -1, 0);
      return undefined;
    }
    pa.status.metricsServiceName = sks.status.privateServiceName;
    const decider = this.#reconcileDecider(key, pa, settings);
    try {
      await this.#deps.children.ensureMetric(pa, settings, conditions);
    } catch (error) {
      throw stepError('error reconciling Metric: ', error);
    }
    const applied = await this.#applyScale(key, pa, sks, decider, settings, conditions);
    const ready = this.#deps.pods.counts(key).ready;
    const mode = sksMode(applied.wanted, decider.excessBurstCapacity);
    const { minScale, maxScale } = settings;
    const wasInitialized = conditions.get(SCALE_TARGET_INITIALIZED)?.status === 'True';
    const bound = bindingBound(decider.recommendation, settings, wasInitialized);
    decider.applied = { wanted: applied.wanted, bound, minScale, maxScale, mode };
    await this.#reconcileSks(pa, conditions, mode, this.#activators(ready, settings));
    computeScaleStatus(pa.status, conditions, settings, applied.wanted, ready);
    return applied.requeueAfterMs;
  }

  #activators(ready: number, settings: EffectiveSettings): number {
    const { activatorCapacity } = this.#deps.config.autoscaler;
    const { capacity, targetBurstCapacity } = settings;
    return activatorCount(ready, capacity, targetBurstCapacity, activatorCapacity);
  }

  #reconcileDecider(key: string, pa: PodAutoscaler, settings: EffectiveSettings): Decider {
    const { autoscaler } = this.#deps.config;
    const spec: DeciderSpec = {
      target: settings.target,
      capacity: settings.capacity,
      targetBurstCapacity: settings.targetBurstCapacity,
      panicThreshold: settings.panicThreshold,
      stableWindowMs: settings.stableWindowMs,
      maxScaleUpRate: autoscaler.maxScaleUpRate,
      maxScaleDownRate: autoscaler.maxScaleDownRate,
      activationScale: settings.activationScale,
      reachable: settings.isReachable,
      isRps: settings.metric === 'rps',
      initialScale: settings.initialScale,
      scaleDownDelayMs: settings.scaleDownDelayMs,
    };
    try {
      return this.#deps.deciders.ensure(key, spec, pa.metadata.labels);
    } catch (error) {
      throw stepError('error reconciling Decider: ', error);
    }
  }

  /** AS-120, AS-126 to AS-138. */
  async #applyScale(
    key: string,
    pa: OwnPodAutoscaler,
    sks: ServerlessService,
    decider: Decider,
    settings: EffectiveSettings,
    conditions: ConditionManager,
  ): Promise<Applied> {
    const plan = (probe: ScalePlanInput['probe']): ReturnType<typeof planScale> =>
      planScale(this.#planInput(sks, decider, settings, conditions, probe));
    let chosen = plan('untried');
    if (chosen.action === 'probe') {
      const isAnswered = await this.#deps.probe.once(pa);
      // A poke may have come in meanwhile: the plan is made anew from the Decider's latest word.
      chosen = plan(isAnswered ? 'succeeded' : 'failed');
    }
    if (chosen.action === 'probe' || chosen.action === 'probe in background') {
      this.#deps.probe.inBackground(pa, () => this.#deps.enqueueAfter(key, RECHECK_AFTER_PROBE_MS));
      return { wanted: 0 };
    }
    if (chosen.action === 'scale') {
      try {
        await this.#deps.targets.scale(pa, chosen.replicas);
      } catch (error) {
        throw stepError('error scaling target: ', error);
      }
    }
    return chosen;
  }

  #planInput(
    sks: ServerlessService,
    decider: Decider,
    settings: EffectiveSettings,
    conditions: ConditionManager,
    probe: ScalePlanInput['probe'],
  ): ScalePlanInput {
    const nowMs = this.#deps.clock.nowMs();
    const active = conditions.get(ACTIVE);
    const sinceMs = Date.parse(active?.lastTransitionTime ?? '');
    return {
      recommendation: decider.recommendation,
      settings,
      config: this.#deps.config.autoscaler,
      wasInitialized: conditions.get(SCALE_TARGET_INITIALIZED)?.status === 'True',
      active: (active?.status ?? 'Unknown') as ActiveState,
      activeForMs: Number.isNaN(sinceMs) ? -1 : nowMs - sinceMs,
      isSksProxy: sks.spec.mode === 'Proxy',
      backedByActivatorForMs: backedByActivatorForMs(sks, nowMs),
      probe,
    };
  }

  /** AS-121. */
  async #reconcileSks(
    pa: OwnPodAutoscaler,
    conditions: ConditionManager,
    mode: 'Serve' | 'Proxy',
    numActivators: number,
  ): Promise<void> {
    let sks: ServerlessService;
    try {
      sks = await this.#deps.children.ensureSks(pa, mode, numActivators, conditions);
    } catch (error) {
      throw stepError('error reconciling SKS: ', error);
    }
    if (sks.status?.serviceName) pa.status.serviceName = sks.status.serviceName;
    if (isReady(sks)) conditions.markTrue(SKS_READY);
    else {
      const message = findCondition(sks, READY)?.message;
      conditions.markUnknown(SKS_READY, 'NotReady', message);
    }
  }
}
