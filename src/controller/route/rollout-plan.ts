// Decides the next state of a Route's rollouts (CP-361 to CP-368). Pure.

import { tryParseDurationMs } from '../../api/duration.ts';
import { firstAnnotation, ROLLOUT_DURATION_ANNOTATIONS } from '../../api/labels.ts';
import type { Route } from '../../api/serving.ts';
import {
  byTagThenName,
  type ConfigurationRollout,
  type RevisionShare,
  type Rollout,
} from './rollout.ts';

const NS_PER_SECOND = 1e9;
const NS_PER_MS = 1e6;

export interface RolloutInputs {
  /** The Ingress' annotation. */
  readonly previous: string | undefined;
  readonly wanted: Rollout;
  readonly route: Route;
  readonly defaultDurationSeconds: number;
  readonly isIngressReady: boolean;
  /** Condition `IngressReady` of the Route as it was before this pass. */
  readonly isRouteIngressReady: boolean;
  readonly nowMs: number;
}

export function planRollout(inputs: RolloutInputs): Rollout {
  const durationSeconds = rolloutSeconds(inputs.route, inputs.defaultDurationSeconds);
  const previous = parseRollout(inputs.previous);
  if (durationSeconds <= 0 || previous === null) return inputs.wanted;
  const nowNs = inputs.nowMs * NS_PER_MS;
  const items = structuredClone(previous.configurations ?? []);
  if (inputs.isIngressReady && !inputs.isRouteIngressReady) {
    for (const item of items) observeReady(item, durationSeconds, nowNs);
  }
  return merge(items, inputs.wanted, nowNs);
}

/** CP-361: whole seconds; an annotation of `0s` counts as unset. */
export function rolloutSeconds(route: Route, fallback: number): number {
  const text = firstAnnotation(route.metadata.annotations, ROLLOUT_DURATION_ANNOTATIONS);
  const seconds = Math.trunc((tryParseDurationMs(text ?? '') ?? 0) / 1000);
  return seconds === 0 ? fallback : seconds;
}

/** CP-362: null = none, or not to be trusted. */
export function parseRollout(text: string | undefined): Rollout | null {
  if (text === undefined || text === '') return null;
  try {
    const parsed = JSON.parse(text) as Rollout;
    return (parsed.configurations ?? []).every(isSound) ? parsed : null;
  } catch {
    return null; // Not JSON: a state nobody can continue from.
  }
}

function isSound(item: ConfigurationRollout): boolean {
  const { percent, revisions, stepParams = {} } = item;
  const stepSize = stepParams.stepSize ?? 0;
  if (percent > 100 || stepSize < 0 || stepSize > percent) return false;
  return revisions.reduce((sum, share) => sum + share.percent, 0) === percent;
}

/** CP-364, CP-365: the 1 % phase is over, its length says how long each step takes. */
function observeReady(item: ConfigurationRollout, durationSeconds: number, nowNs: number): void {
  const { stepParams: step, percent } = item;
  if ((step.starttime ?? 0) <= 0 || (step.stepDuration ?? 0) !== 0) return;
  const elapsed = Math.ceil((nowNs - step.starttime!) / NS_PER_SECOND);
  const minimum = Math.max(1, elapsed);
  const left = Math.max(1, durationSeconds - minimum);
  const remaining = percent - 1;
  const steps = Math.min(Math.max(1, left / minimum), remaining);
  const stepNs = (left / steps) * NS_PER_SECOND;
  step.stepSize = Math.round(remaining / steps);
  step.stepDuration = Math.trunc(stepNs);
  step.nextStepTime = Math.trunc(nowNs + stepNs);
}

/** CP-363. */
function merge(previous: ConfigurationRollout[], wanted: Rollout, nowNs: number): Rollout {
  const tags = new Set(previous.map(({ tag }) => tag ?? ''));
  const configurations = (wanted.configurations ?? []).map((item) => {
    const before = previous.find(
      ({ tag, configurationName }) =>
        (tag ?? '') === (item.tag ?? '') && configurationName === item.configurationName,
    );
    if (!tags.has(item.tag ?? '') || before === undefined || item.percent === 1) return item;
    return advance(before, item, nowNs);
  });
  return configurations.length === 0 ? {} : { configurations: configurations.sort(byTagThenName) };
}

function advance(
  before: ConfigurationRollout,
  wanted: ConfigurationRollout,
  nowNs: number,
): ConfigurationRollout {
  const newest = wanted.revisions[0]!.revisionName;
  const revisions = withPercent(before.revisions, wanted.percent);
  const item: ConfigurationRollout = { ...wanted, revisions, stepParams: before.stepParams };
  if (revisions.at(-1)?.revisionName !== newest) return start(item, newest, nowNs);
  if (revisions.length === 1) return { ...item, stepParams: {} };
  const { stepSize = 0, nextStepTime = 0 } = item.stepParams;
  return stepSize > 0 && nowNs >= nextStepTime ? step(item, stepSize, nowNs) : item;
}

/** CP-363.1: more goes to the newest, less is taken from the oldest on. */
export function withPercent(shares: readonly RevisionShare[], percent: number): RevisionShare[] {
  const current = shares.reduce((sum, share) => sum + share.percent, 0);
  const changed = shares.map((share) => ({ ...share }));
  const newest = changed.at(-1);
  if (percent >= current && newest !== undefined) newest.percent += percent - current;
  let excess = Math.max(0, current - percent);
  for (const share of changed) {
    const taken = Math.min(excess, share.percent);
    share.percent -= taken;
    excess -= taken;
  }
  return changed.filter((share) => share.percent > 0);
}

/** CP-363.3: one percent for the newcomer, taken from whoever was newest. */
function start(item: ConfigurationRollout, newest: string, nowNs: number): ConfigurationRollout {
  const shares = item.revisions.map((share) => ({ ...share }));
  const giver = shares.findLast((share) => share.percent > 0);
  if (giver === undefined) {
    const revisions = [{ revisionName: newest, percent: item.percent }];
    return { ...item, revisions, stepParams: {} };
  }
  giver.percent -= 1;
  const kept = shares.filter((share) => share.percent > 0);
  return {
    ...item,
    revisions: [...kept, { revisionName: newest, percent: 1 }],
    stepParams: { starttime: nowNs },
  };
}

/** CP-366. */
function step(item: ConfigurationRollout, stepSize: number, nowNs: number): ConfigurationRollout {
  const shares = moveShares(item.revisions, stepSize, item.percent);
  if (shares.length === 1) return { ...item, revisions: shares, stepParams: {} };
  const nextStepTime = nowNs + (item.stepParams.stepDuration ?? 0);
  return { ...item, revisions: shares, stepParams: { ...item.stepParams, nextStepTime } };
}

/** The newest gains `stepSize`, the next newest pay for it first. */
export function moveShares(
  revisions: readonly RevisionShare[],
  stepSize: number,
  percent: number,
): RevisionShare[] {
  const shares = revisions.map((share) => ({ ...share }));
  const newest = shares.pop()!;
  let remaining = stepSize;
  while (remaining > 0 && shares.length > 0) {
    const payer = shares.at(-1)!;
    const taken = Math.min(remaining, payer.percent);
    payer.percent -= taken;
    remaining -= taken;
    if (payer.percent === 0) shares.pop();
  }
  newest.percent = Math.min(percent, newest.percent + stepSize);
  return [...shares, newest];
}
