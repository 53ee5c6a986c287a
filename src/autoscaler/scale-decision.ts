// One autoscaling decision (AS-101 to AS-115): what was seen in, the wanted number of pods out,
// with a code naming the rule that bound it. Pure: no clock, no windows, no metrics. Bounds like
// min-scale are applied later, by scale-plan.ts (AS-116). Hot: once per revision and tick, and on
// every poke.

/** What of a Decider outlives a decision (AS-191). */
export interface ScaleState {
  /** Unix ms; NaN = not panicking. */
  panicSinceMs: number;
  /** AS-111: the recommendation does not fall below this while panicking. */
  panicFloor: number;
  /** -1 = unknown. */
  recommendation: number;
  excessBurstCapacity: number;
}

export interface SeenLoad {
  /** Averages of the scaling metric over the two windows. */
  stable: number;
  panic: number;
  /** False when the windows have nothing to say (AS-91, AS-102). */
  hasData: boolean;
  /** -1 = pods cannot be counted. */
  readyPods: number;
  /** The largest earlier demand the delay window still holds; -1 = no delay window (AS-112). */
  delayedMaximum: number;
}

export interface ScaleSpec {
  /** Metric value aimed for per pod, > 0. */
  target: number;
  /** Metric value a pod can take; burst arithmetic uses it. */
  capacity: number;
  /** >= 0, or -1 = unlimited. */
  targetBurstCapacity: number;
  panicThreshold: number;
  stableWindowMs: number;
  /** > 1 */
  maxScaleUpRate: number;
  /** > 1 */
  maxScaleDownRate: number;
  /** 0 = off. */
  activationScale: number;
  reachable: boolean;
}

/** What bound a decision; the names are for people (`pilotlight why`). */
export const REASON = {
  noData: 0,
  podsUncountable: 1,
  idle: 2,
  demand: 3,
  growthLimit: 4,
  shrinkLimit: 5,
  activationScale: 6,
  panicDemand: 7,
  panicHold: 8,
  scaleDownDelay: 9,
} as const;
export type ReasonCode = (typeof REASON)[keyof typeof REASON];

export const REASON_NAMES: Readonly<Record<ReasonCode, string>> = {
  [REASON.noData]: 'no metrics yet',
  [REASON.podsUncountable]: 'pods cannot be counted',
  [REASON.idle]: 'no load',
  [REASON.demand]: 'load divided by target',
  [REASON.growthLimit]: 'max-scale-up-rate',
  [REASON.shrinkLimit]: 'max-scale-down-rate',
  [REASON.activationScale]: 'activation-scale',
  [REASON.panicDemand]: 'panic: load of the panic window',
  [REASON.panicHold]: 'panic: held at its peak',
  [REASON.scaleDownDelay]: 'scale-down-delay',
};

export interface ScaleDecision {
  /** False = nothing is known and nothing changes (AS-96). */
  valid: boolean;
  reason: ReasonCode;
  /** What the delay window is to remember of this decision; -1 = nothing (AS-112). */
  recordDelayed: number;
  state: ScaleState;
}

export function decideScale(
  prev: ScaleState,
  seen: SeenLoad,
  spec: ScaleSpec,
  nowMs: number,
): ScaleDecision {
  if (seen.readyPods < 0) return invalid(prev, REASON.podsUncountable);
  if (!seen.hasData) return invalid(prev, REASON.noData);

  const ratePods = Math.max(1, seen.readyPods);
  const stableRaw = Math.ceil(seen.stable / spec.target);
  const panicRaw = Math.ceil(seen.panic / spec.target);
  const stableDemand = clampDemand(stableRaw, ratePods, spec);
  const panicDemand = clampDemand(panicRaw, ratePods, spec);

  const panicSinceMs = nextPanic(prev.panicSinceMs, panicRaw / ratePods, spec, nowMs);
  let panicFloor = prev.panicFloor;
  let want = stableDemand;
  let reason = demandReason(stableRaw, stableDemand, spec);
  if (Number.isNaN(panicSinceMs)) {
    if (!Number.isNaN(prev.panicSinceMs)) panicFloor = 0;
  } else {
    const peak = Math.max(stableDemand, panicDemand);
    if (panicFloor > peak) reason = REASON.panicHold;
    else if (panicDemand > stableDemand) reason = panicReason(panicRaw, panicDemand, spec);
    panicFloor = Math.max(panicFloor, peak);
    want = panicFloor;
  }

  const isDelayed = spec.reachable && seen.delayedMaximum >= 0;
  const recordDelayed = isDelayed ? want : -1;
  if (isDelayed && seen.delayedMaximum > want) {
    want = seen.delayedMaximum;
    reason = REASON.scaleDownDelay;
  }
  const excessBurstCapacity = burstCapacity(spec, seen);
  return {
    valid: true,
    reason,
    recordDelayed,
    state: { panicSinceMs, panicFloor, recommendation: want, excessBurstCapacity },
  };
}

/** AS-95: what a Decider says before its first decision. */
export function initialExcessBurstCapacity(
  initialScale: number,
  capacity: number,
  targetBurstCapacity: number,
): number {
  if (targetBurstCapacity === 0 || targetBurstCapacity === -1) return targetBurstCapacity;
  return Math.trunc(initialScale * capacity - targetBurstCapacity) + 0;
}

/** AS-99: a Decider made while several pods run must not shrink them before it has history. */
export function initialScaleState(
  readyPods: number,
  excessBurstCapacity: number,
  nowMs: number,
): ScaleState {
  return {
    panicSinceMs: readyPods > 1 ? nowMs : Number.NaN,
    panicFloor: readyPods,
    recommendation: -1,
    excessBurstCapacity,
  };
}

function invalid(prev: ScaleState, reason: ReasonCode): ScaleDecision {
  return { valid: false, reason, recordDelayed: -1, state: prev };
}

/** AS-104 to AS-106. */
function clampDemand(raw: number, ratePods: number, spec: ScaleSpec): number {
  const up = Math.ceil(spec.maxScaleUpRate * ratePods);
  const down = spec.reachable ? Math.floor(ratePods / spec.maxScaleDownRate) : 0;
  const demand = Math.min(Math.max(raw, down), up);
  return raw > 0 && spec.activationScale > 1 ? Math.max(demand, spec.activationScale) : demand;
}

/** AS-107 to AS-110. */
function nextPanic(sinceMs: number, overloadRatio: number, spec: ScaleSpec, nowMs: number): number {
  if (overloadRatio >= spec.panicThreshold) return nowMs;
  return sinceMs + spec.stableWindowMs < nowMs ? Number.NaN : sinceMs;
}

/** AS-115. */
function burstCapacity(spec: ScaleSpec, seen: SeenLoad): number {
  if (spec.targetBurstCapacity === 0) return 0;
  if (spec.targetBurstCapacity < 0) return -1;
  return Math.floor(seen.readyPods * spec.capacity - spec.targetBurstCapacity - seen.panic);
}

function demandReason(raw: number, demand: number, spec: ScaleSpec): ReasonCode {
  if (raw > 0 && demand === spec.activationScale && demand > raw) return REASON.activationScale;
  if (demand < raw) return REASON.growthLimit;
  if (demand > Math.max(0, raw)) return REASON.shrinkLimit;
  return raw > 0 ? REASON.demand : REASON.idle;
}

function panicReason(raw: number, demand: number, spec: ScaleSpec): ReasonCode {
  const reason = demandReason(raw, demand, spec);
  return reason === REASON.demand ? REASON.panicDemand : reason;
}
