// The reconcilers of Knative kinds (CP-20 to CP-26): look the object up, leave it alone while it is
// being deleted, and run the kind's own step as one status pass with one snapshot of the
// configuration.

import type { ConditionManager, ConditionSet } from '../api/conditions.ts';
import type { ServingConfig } from '../api/config/registry.ts';
import type { Kind } from '../api/kinds.ts';
import type { EventRecorder } from '../kube/events.ts';
import {
  messageOf,
  type OwnCopy,
  runWithStatus,
  type StatusObject,
  stepError,
} from '../kube/status-pass.ts';
import { isConflict, type Lister, type ReconcileResult, type Reconciler } from '../kube/types.ts';
import type { ControllerContext } from './context.ts';
import { addFinalizer, hasFinalizer, removeFinalizer } from './finalizers.ts';

/** One run over one object. */
export interface Pass {
  readonly conditions: ConditionManager;
  /** One snapshot for the whole pass (CP-9). */
  readonly config: ServingConfig;
  readonly nowMs: number;
}

export interface PipelineOptions<T extends StatusObject> {
  kind: Kind;
  conditionSet: ConditionSet;
  lister: Pick<Lister<T>, 'getByKey'>;
  recorder: EventRecorder;
  /**
   * Changes `object.status`; what it throws is reported and retried after the status is written.
   */
  reconcileKind(object: OwnCopy<T>, pass: Pass): Promise<ReconcileResult | undefined>;
  /** The object is gone from the cache. */
  forget?(key: string): void;
  /** CP-21: held on every object; `clean` runs once its deletion was asked for. */
  finalizer?: { readonly name: string; clean(object: T, config: ServingConfig): Promise<void> };
}

export class StatusPipeline<T extends StatusObject> implements Reconciler {
  readonly #context: ControllerContext;
  readonly #options: PipelineOptions<T>;

  constructor(context: ControllerContext, options: PipelineOptions<T>) {
    this.#context = context;
    this.#options = options;
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { kind, conditionSet, lister, recorder, reconcileKind, forget } = this.#options;
    let cached = lister.getByKey(key);
    if (cached === undefined) {
      forget?.(key);
      return undefined;
    }
    const { client, clock, config } = this.#context;
    const deps = { client, clock, recorder };
    if (cached.metadata.deletionTimestamp !== undefined) return this.#finalize(cached);
    const { finalizer } = this.#options;
    if (finalizer !== undefined && !hasFinalizer(cached, finalizer.name)) {
      const held = await addFinalizer(deps, kind, cached, finalizer.name);
      if (held === null) return undefined;
      cached = held;
    }
    return runWithStatus(deps, kind, conditionSet, cached, (object, conditions, nowMs) =>
      reconcileKind(object, { conditions, config: config.current, nowMs }),
    );
  }

  /** The finalizer stays until the cleaning succeeded. */
  async #finalize(object: T): Promise<undefined> {
    const { kind, recorder, finalizer } = this.#options;
    if (finalizer === undefined || !hasFinalizer(object, finalizer.name)) return;
    const { client, config } = this.#context;
    try {
      await finalizer.clean(object, config.current);
    } catch (error) {
      if (!isConflict(error)) recorder.warning(object, 'InternalError', messageOf(error));
      throw error;
    }
    await removeFinalizer({ client, recorder }, kind, object, finalizer.name);
  }
}

/** Adds the step that failed and keeps the cause; conflicts stay recognisable for the retry. */
export function wrapError(step: string, error: unknown): unknown {
  return stepError(`${step}: `, error);
}
