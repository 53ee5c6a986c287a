// What surrounds every reconciler that owns a status (CP-20 to CP-26): take a copy from the cache,
// prepare its conditions, run the kind's own step, then write the status if it changed, whether the
// step succeeded or not. Invariants: the cached object is never changed; a pass that changes
// nothing writes nothing; a condition that ends a pass as it began keeps its time, whatever
// happened between.

import { ConditionManager, type ConditionSet, READY } from '../api/conditions.ts';
import type { ServingConfig } from '../api/config/registry.ts';
import type { Kind } from '../api/kinds.ts';
import type { CommonStatus, Condition, KubeObject } from '../api/objects.ts';
import type { EventRecorder } from '../kube/events.ts';
import { writeStatus } from '../kube/status.ts';
import { isConflict, type Lister, type ReconcileResult, type Reconciler } from '../kube/types.ts';
import type { ControllerContext } from './context.ts';

export type StatusObject = KubeObject & { status?: CommonStatus };
/** The pass's own copy: its status may be changed, everything else is shared with the cache. */
export type OwnCopy<T extends StatusObject> = T & { status: NonNullable<T['status']> };

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
  /** Changes `object.status`; what it throws is reported and retried after the status is written. */
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
    const cached = this.#options.lister.getByKey(key);
    if (cached === undefined) {
      this.#options.forget?.(key);
      return undefined;
    }
    if (cached.metadata.deletionTimestamp !== undefined) return undefined;
    const nowMs = this.#context.clock.nowMs();
    const object = { ...cached, status: structuredClone(cached.status ?? {}) } as OwnCopy<T>;
    const conditions = new ConditionManager(this.#options.conditionSet, object.status, nowMs);
    prepare(object, conditions);

    let outcome: ReconcileResult | undefined;
    let failure: unknown;
    try {
      const pass = { conditions, config: this.#context.config.current, nowMs };
      outcome = await this.#options.reconcileKind(object, pass);
    } catch (error) {
      failure = error ?? new Error('reconciler threw nothing');
    }
    await this.#finish(cached, object, failure);
    return outcome;
  }

  /** CP-24 to CP-26. */
  async #finish(cached: T, object: OwnCopy<T>, failure: unknown): Promise<void> {
    const { metadata, status } = object;
    if (metadata.generation !== undefined) status.observedGeneration = metadata.generation;
    keepTimes(cached.status?.conditions ?? [], status.conditions ?? []);
    try {
      await writeStatus<T>(
        this.#context.client,
        this.#options.kind,
        cached,
        status,
        this.#context.clock,
      );
    } catch (error) {
      if (!isConflict(error)) {
        const text = `Failed to update status for "${metadata.name}": ${messageOf(error)}`;
        this.#options.recorder.warning(cached, 'UpdateFailed', text);
      }
      throw failure ?? error;
    }
    if (failure === undefined) return;
    if (!isConflict(failure)) {
      this.#options.recorder.warning(cached, 'InternalError', messageOf(failure));
    }
    throw failure;
  }
}

/** CP-23. */
function prepare(object: OwnCopy<StatusObject>, conditions: ConditionManager): void {
  conditions.initialize();
  if (object.status.observedGeneration !== object.metadata.generation) {
    const message = 'unsuccessfully observed a new generation';
    conditions.markUnknown(READY, 'NewObservedGenFailure', message);
  }
}

/** CP-24: only what differs at the end of the pass has a new time. */
function keepTimes(before: readonly Condition[], after: Condition[]): void {
  for (const condition of after) {
    const old = before.find(({ type }) => type === condition.type);
    if (old?.lastTransitionTime === undefined) continue;
    const isSame =
      old.status === condition.status &&
      old.severity === condition.severity &&
      old.reason === condition.reason &&
      old.message === condition.message;
    if (isSame) condition.lastTransitionTime = old.lastTransitionTime;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Adds the step that failed and keeps the cause; conflicts stay recognisable for the retry. */
export function wrapError(step: string, error: unknown): unknown {
  if (isConflict(error)) return error;
  return new Error(`${step}: ${messageOf(error)}`, { cause: error });
}
