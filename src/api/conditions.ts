// Conditions of a status and the rules by which dependents decide `Ready` (CP-40 to CP-46).
// Pure: the time of a transition is passed in, and one pass of a reconciler uses one time (CP-24).

import type { CommonStatus, Condition } from './objects.ts';

export interface ConditionSet {
  /** Conditions that, all True, make `Ready` True. */
  readonly dependents: readonly string[];
}

/** CP-41. A type that is neither `Ready` nor listed here is informational. */
export const CONDITION_SETS = {
  Service: { dependents: ['ConfigurationsReady', 'RoutesReady'] },
  Configuration: { dependents: [] },
  Revision: { dependents: ['ResourcesAvailable', 'ContainerHealthy'] },
  Route: { dependents: ['AllTrafficAssigned', 'IngressReady', 'CertificateProvisioned'] },
  Ingress: { dependents: ['NetworkConfigured', 'LoadBalancerReady'] },
  ServerlessService: { dependents: ['EndpointsPopulated'] },
  PodAutoscaler: { dependents: ['Active', 'ScaleTargetInitialized', 'SKSReady'] },
  Metric: { dependents: [] },
  DomainMapping: {
    dependents: ['DomainClaimed', 'ReferenceResolved', 'IngressReady', 'CertificateProvisioned'],
  },
  Certificate: { dependents: [] },
} as const satisfies Record<string, ConditionSet>;

export const READY = 'Ready';

/** Reads one condition of any object that has a status. */
export function findCondition(
  object: { status?: CommonStatus | undefined } | undefined,
  type: string,
): Condition | undefined {
  return object?.status?.conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(
  object: { status?: CommonStatus | undefined } | undefined,
  type: string,
): boolean {
  return findCondition(object, type)?.status === 'True';
}

/** `Ready` is True and was computed for the current generation. */
export function isReady(object: {
  metadata: { generation?: number };
  status?: CommonStatus | undefined;
}): boolean {
  return (
    object.status?.observedGeneration === object.metadata.generation &&
    isConditionTrue(object, READY)
  );
}

/** Changes the conditions of one status in place; create one per reconcile pass. */
export class ConditionManager {
  readonly #set: ConditionSet;
  readonly #status: CommonStatus;
  readonly #now: string;

  /**
   * `nowMs` (Unix) stamps every transition of this pass; conditions that already exist keep theirs.
   */
  constructor(set: ConditionSet, status: CommonStatus, nowMs: number) {
    this.#set = set;
    this.#status = status;
    this.#now = new Date(Math.floor(nowMs / 1000) * 1000).toISOString().replace('.000Z', 'Z');
  }

  get(type: string): Condition | undefined {
    return this.#status.conditions?.find((condition) => condition.type === type);
  }

  /** CP-42: fills in what is missing. */
  initialize(): void {
    const ready = this.get(READY);
    if (ready === undefined) this.#put({ type: READY, status: 'Unknown' });
    const initial = ready?.status === 'True' ? 'True' : 'Unknown';
    for (const type of this.#set.dependents) {
      if (this.get(type) === undefined) this.#put({ type, status: initial });
    }
  }

  /** CP-43. */
  markTrue(type: string, reason?: string, message?: string): void {
    this.#put(this.#condition(type, 'True', reason, message));
    if (this.#isDependent(type) || type === READY) this.#recomputeReady();
  }

  /** CP-44. */
  markFalse(type: string, reason: string, message: string): void {
    this.#put(this.#condition(type, 'False', reason, message));
    if (this.#isDependent(type)) this.#put({ type: READY, status: 'False', reason, message });
  }

  /** CP-45. */
  markUnknown(type: string, reason?: string, message?: string): void {
    this.#put(this.#condition(type, 'Unknown', reason, message));
    const anyFalse = this.#set.dependents.some(
      (dependent) => this.get(dependent)?.status === 'False',
    );
    if (anyFalse) {
      if (this.get(READY)?.status !== 'False')
        this.#put(this.#condition(READY, 'False', reason, message));
      return;
    }
    if (this.#isDependent(type)) this.#put(this.#condition(READY, 'Unknown', reason, message));
  }

  /** Copies another object's condition onto `type` with the matching mark. */
  mirror(type: string, source: Condition | undefined): void {
    if (source === undefined) this.markUnknown(type);
    else if (source.status === 'True') this.markTrue(type, source.reason, source.message);
    else if (source.status === 'False')
      this.markFalse(type, source.reason ?? '', source.message ?? '');
    else this.markUnknown(type, source.reason, source.message);
  }

  #isDependent(type: string): boolean {
    return this.#set.dependents.includes(type);
  }

  #condition(
    type: string,
    status: Condition['status'],
    reason?: string,
    message?: string,
  ): Condition {
    const condition: Condition = { type, status };
    if (type !== READY && !this.#isDependent(type)) condition.severity = 'Info';
    if (reason !== undefined && reason !== '') condition.reason = reason;
    if (message !== undefined && message !== '') condition.message = message;
    return condition;
  }

  #recomputeReady(): void {
    const counted = (this.#status.conditions ?? []).filter(
      (condition) => condition.type !== READY && condition.severity === undefined,
    );
    const worst = latest(counted, 'False') ?? latest(counted, 'Unknown');
    if (worst !== undefined) {
      this.#put(this.#condition(READY, worst.status, worst.reason, worst.message));
    } else if (counted.length < this.#set.dependents.length) {
      this.#put({ type: READY, status: 'Unknown' });
    } else {
      this.#put({ type: READY, status: 'True' });
    }
  }

  /** CP-46: a condition that differs only in time is left alone. */
  #put(condition: Condition): void {
    this.#status.conditions ??= [];
    const conditions = this.#status.conditions;
    const index = conditions.findIndex((existing) => existing.type === condition.type);
    const existing = index < 0 ? undefined : conditions[index];
    if (existing !== undefined && sameApartFromTime(existing, condition)) return;
    const stamped = { ...condition, lastTransitionTime: this.#now };
    if (index < 0) conditions.push(stamped);
    else conditions[index] = stamped;
    conditions.sort((a, b) => (a.type < b.type ? -1 : 1));
  }
}

function latest(
  conditions: readonly Condition[],
  status: Condition['status'],
): Condition | undefined {
  let found: Condition | undefined;
  for (const condition of conditions) {
    if (condition.status !== status) continue;
    if (
      found === undefined ||
      (condition.lastTransitionTime ?? '') > (found.lastTransitionTime ?? '')
    ) {
      found = condition;
    }
  }
  return found;
}

function sameApartFromTime(a: Condition, b: Condition): boolean {
  return (
    a.status === b.status &&
    a.severity === b.severity &&
    a.reason === b.reason &&
    a.message === b.message
  );
}
