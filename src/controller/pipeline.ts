// The reconcilers of Knative kinds (CP-20 to CP-26): look the object up, leave it alone while it is
// being deleted, and run the kind's own step as one status pass with one snapshot of the
// configuration.

import type { ConditionManager, ConditionSet } from '../api/conditions.ts';
import type { ServingConfig } from '../api/config/registry.ts';
import type { Kind } from '../api/kinds.ts';
import type { EventRecorder } from '../kube/events.ts';
import { type OwnCopy, runWithStatus, type StatusObject, stepError } from '../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../kube/types.ts';
import type { ControllerContext } from './context.ts';

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
  lister: Lister<T>;
  recorder: EventRecorder;
  /**
   * Changes `object.status`; what it throws is reported and retried after the status is written.
   */
  reconcileKind(object: OwnCopy<T>, pass: Pass): Promise<ReconcileResult | undefined>;
  /** The object is gone from the cache. */
  forget?(key: string): void;
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
    const cached = lister.getByKey(key);
    if (cached === undefined) {
      forget?.(key);
      return undefined;
    }
    if (cached.metadata.deletionTimestamp !== undefined) return undefined;
    const { client, clock, config } = this.#context;
    const deps = { client, clock, recorder };
    return runWithStatus(deps, kind, conditionSet, cached, (object, conditions, nowMs) =>
      reconcileKind(object, { conditions, config: config.current, nowMs }),
    );
  }
}

/** Adds the step that failed and keeps the cause; conflicts stay recognisable for the retry. */
export function wrapError(step: string, error: unknown): unknown {
  return stepError(`${step}: `, error);
}
