// Creates and updates the objects a PodAutoscaler owns (AS-53, AS-149). Only the spec is kept in
// step; labels and annotations are as they were at creation. An object of the right name that
// somebody else controls is left alone and reported.

import type { Metric, PodAutoscaler } from '../api/autoscaling.ts';
import type { ConditionManager } from '../api/conditions.ts';
import * as kinds from '../api/kinds.ts';
import type { ServerlessService, ServerlessServiceMode } from '../api/networking.ts';
import { controllerOf, type KubeObject, objectKey } from '../api/objects.ts';
import { deepEqual } from '../kube/equal.ts';
import { stepError } from '../kube/status-pass.ts';
import { isAlreadyExists, type KubeClient, type Lister } from '../kube/types.ts';
import { desiredMetric, desiredSks } from './child-objects.ts';
import type { EffectiveSettings } from './effective-settings.ts';
import { markNotOwned } from './pod-autoscaler-status.ts';

/** Prefixes of what can go wrong; `create` for example reads `error creating SKS hello: `. */
interface StepNames {
  create: string;
  get: string;
  update: string;
}

export interface ChildWriterOptions {
  client: KubeClient;
  sks: Lister<ServerlessService>;
  metrics: Lister<Metric>;
}

export class ChildWriter {
  readonly #options: ChildWriterOptions;

  constructor(options: ChildWriterOptions) {
    this.#options = options;
  }

  /** AS-149. */
  async ensureSks(
    pa: PodAutoscaler,
    mode: ServerlessServiceMode,
    numActivators: number,
    conditions: ConditionManager,
  ): Promise<ServerlessService> {
    const desired = desiredSks(pa, mode, numActivators);
    const { name } = desired.metadata;
    const steps = {
      create: `error creating SKS ${name}: `,
      get: `error getting SKS ${name}: `,
      update: `error updating SKS ${name}: `,
    };
    const cached = this.#options.sks.getByKey(objectKey(desired));
    const existing = cached ?? (await this.#create(kinds.ServerlessService, desired, steps));
    if (!isControlledBy(existing, pa)) {
      markNotOwned(conditions, 'ServerlessService', name);
      throw new Error(`PA: ${name} does not own SKS: ${name}`);
    }
    return this.#updateSpec(kinds.ServerlessService, existing, desired, steps);
  }

  /** AS-52, AS-53. */
  async ensureMetric(
    pa: PodAutoscaler,
    settings: EffectiveSettings,
    conditions: ConditionManager,
  ): Promise<void> {
    const desired = desiredMetric(pa, settings);
    const { name } = desired.metadata;
    const steps = {
      create: 'error creating metric: ',
      get: 'error fetching metric: ',
      update: 'error updating metric: ',
    };
    const cached = this.#options.metrics.getByKey(objectKey(desired));
    const existing = cached ?? (await this.#create(kinds.Metric, desired, steps));
    if (!isControlledBy(existing, pa)) {
      markNotOwned(conditions, 'Metric', name);
      throw new Error(`PA: ${name} does not own Metric: ${name}`);
    }
    await this.#updateSpec(kinds.Metric, existing, desired, steps);
  }

  /** The cache may not know yet what we created a moment ago: then it is read instead. */
  async #create<T extends KubeObject>(kind: kinds.Kind, desired: T, steps: StepNames): Promise<T> {
    try {
      return await this.#options.client.create(kind, desired);
    } catch (error) {
      if (!isAlreadyExists(error)) throw stepError(steps.create, error);
    }
    try {
      const { namespace, name } = desired.metadata;
      return await this.#options.client.get<T>(kind, { namespace, name });
    } catch (error) {
      throw stepError(steps.get, error);
    }
  }

  async #updateSpec<T extends KubeObject & { spec: object }>(
    kind: kinds.Kind,
    existing: T,
    desired: T,
    steps: StepNames,
  ): Promise<T> {
    if (deepEqual(existing.spec, desired.spec)) return existing;
    try {
      return await this.#options.client.update(kind, { ...existing, spec: desired.spec });
    } catch (error) {
      throw stepError(steps.update, error);
    }
  }
}

export function isControlledBy(child: KubeObject, owner: KubeObject): boolean {
  return controllerOf(child)?.uid === owner.metadata.uid;
}
