// PodAutoscalers of class HPA (AS-157 to AS-165): a HorizontalPodAutoscaler decides for them. This
// keeps that object and the SKS as they should be and copies the outcome into the status. There is
// no Decider, no Metric and no scale to zero (AS-158, AS-162).

import type { PodAutoscaler, PodAutoscalerStatus } from '../../api/autoscaling.ts';
import { readClass } from '../../api/autoscaling-annotations.ts';
import { CONDITION_SETS, type ConditionManager, isReady } from '../../api/conditions.ts';
import type { HorizontalPodAutoscaler } from '../../api/horizontal-pod-autoscaler.ts';
import * as kinds from '../../api/kinds.ts';
import { HPA_CLASS } from '../../api/labels.ts';
import type { ServerlessService } from '../../api/networking.ts';
import { objectKey } from '../../api/objects.ts';
import {
  messageOf,
  runWithStatus,
  type StatusPassDeps,
  stepError,
} from '../../kube/status-pass.ts';
import { isAlreadyExists, type Lister, type Reconciler } from '../../kube/types.ts';
import { type ChildWriter, isControlledBy } from '../child-writer.ts';
import type { ConfigWatch } from '../config-watch.ts';
import {
  activeThreshold,
  type EffectiveSettings,
  effectiveSettings,
} from '../effective-settings.ts';
import {
  ACTIVE,
  markFailedCreate,
  markNotOwned,
  SCALE_TARGET_INITIALIZED,
  SKS_READY,
} from '../pod-autoscaler-status.ts';
import { desiredHpa, isSameSpec } from './desired-hpa.ts';

const KIND = kinds.HorizontalPodAutoscaler.kind;
/** AS-162: 0 = all of them. */
const ALL_ACTIVATORS = 0;

type OwnPodAutoscaler = PodAutoscaler & { status: PodAutoscalerStatus };

export interface HpaClassDeps extends StatusPassDeps {
  lister: Lister<PodAutoscaler>;
  hpas: Lister<HorizontalPodAutoscaler>;
  config: ConfigWatch;
  children: ChildWriter;
}

export class HpaClassReconciler implements Reconciler {
  readonly #deps: HpaClassDeps;

  constructor(deps: HpaClassDeps) {
    this.#deps = deps;
  }

  async reconcile(key: string): Promise<undefined> {
    const cached = this.#deps.lister.getByKey(key);
    if (cached === undefined || cached.metadata.deletionTimestamp !== undefined) return undefined;
    if (readClass(cached.metadata.annotations) !== HPA_CLASS) return undefined;
    await runWithStatus(
      this.#deps,
      kinds.PodAutoscaler,
      CONDITION_SETS.PodAutoscaler,
      cached,
      (pa, conditions) => this.#step(pa, conditions),
    );
    return undefined;
  }

  async #step(pa: OwnPodAutoscaler, conditions: ConditionManager): Promise<void> {
    const { config, children } = this.#deps;
    const settings = effectiveSettings(pa, config.autoscaler, config.progressDeadlineMs);
    const hpa = await this.#ensureHpa(pa, desiredHpa(pa, settings), conditions);
    let sks: ServerlessService;
    try {
      sks = await children.ensureSks(pa, 'Serve', ALL_ACTIVATORS, conditions);
    } catch (error) {
      throw stepError('error reconciling SKS: ', error);
    }
    this.#copyStatus(pa.status, conditions, settings, hpa, sks);
  }

  async #ensureHpa(
    pa: PodAutoscaler,
    desired: HorizontalPodAutoscaler,
    conditions: ConditionManager,
  ): Promise<HorizontalPodAutoscaler> {
    const { name } = desired.metadata;
    const cached = this.#deps.hpas.getByKey(objectKey(desired));
    const existing = cached ?? (await this.#create(desired, conditions));
    if (!isControlledBy(existing, pa)) {
      markNotOwned(conditions, KIND, name);
      throw new Error(`PodAutoscaler: "${name}" does not own HPA: "${name}"`);
    }
    if (isSameSpec(existing.spec, desired.spec)) return existing;
    try {
      // The spec alone, so that what others keep on the object's metadata stays.
      return await this.#deps.client.update(kinds.HorizontalPodAutoscaler, {
        ...existing,
        spec: desired.spec,
      });
    } catch (error) {
      throw stepError('failed to update HPA: ', error);
    }
  }

  async #create(
    desired: HorizontalPodAutoscaler,
    conditions: ConditionManager,
  ): Promise<HorizontalPodAutoscaler> {
    const { namespace, name } = desired.metadata;
    try {
      return await this.#deps.client.create(kinds.HorizontalPodAutoscaler, desired);
    } catch (error) {
      if (isAlreadyExists(error)) {
        return this.#deps.client.get(kinds.HorizontalPodAutoscaler, { namespace, name });
      }
      markFailedCreate(conditions, KIND, name);
      throw new Error(`failed to create HPA: ${messageOf(error)}`, { cause: error });
    }
  }

  /** AS-162 to AS-164. */
  #copyStatus(
    status: PodAutoscalerStatus,
    conditions: ConditionManager,
    settings: EffectiveSettings,
    hpa: HorizontalPodAutoscaler,
    sks: ServerlessService,
  ): void {
    if (sks.status?.privateServiceName) status.metricsServiceName = sks.status.privateServiceName;
    if (sks.status?.serviceName) status.serviceName = sks.status.serviceName;
    const current = hpa.status?.currentReplicas ?? 0;
    if (isReady(sks)) {
      conditions.markTrue(SKS_READY);
      const initialized = conditions.get(SCALE_TARGET_INITIALIZED)?.status === 'True';
      if (!initialized && current >= activeThreshold(settings, false)) {
        conditions.markTrue(SCALE_TARGET_INITIALIZED);
      }
    } else {
      const message = 'SKS Services are not ready yet';
      conditions.markUnknown(SKS_READY, 'NotReady', message);
    }
    conditions.markTrue(ACTIVE);
    status.desiredScale = hpa.status?.desiredReplicas ?? 0;
    status.actualScale = current;
  }
}
