// From a recommendation to what is done about it: bounds, and the careful way down to zero (AS-126
// to AS-139). Pure: conditions, times and the outcome of the activator probe are inputs, the result
// is an instruction. The reconciler carries it out and comes back when told to.

import type { AutoscalerConfig } from '../api/config/autoscaler.ts';
import type { EffectiveSettings } from './effective-settings.ts';

/** AS-132: with the SKS in Proxy already, no event of it will bring the reconciler back. */
export const RECHECK_AFTER_IDLE_MS = 3000;

export type ActiveState = 'True' | 'False' | 'Unknown';

export interface ScalePlanInput {
  /** -1 = unknown. */
  recommendation: number;
  settings: Pick<
    EffectiveSettings,
    | 'minScale'
    | 'maxScale'
    | 'initialScale'
    | 'isReachable'
    | 'stableWindowMs'
    | 'podRetentionMs'
    | 'activationTimeoutMs'
    | 'targetBurstCapacity'
  >;
  config: Pick<AutoscalerConfig, 'enableScaleToZero' | 'scaleToZeroGracePeriodMs'>;
  wasInitialized: boolean;
  /** Condition Active; a missing one is Unknown with `activeForMs` negative (AS-147). */
  active: ActiveState;
  /** How long Active has been in that state. */
  activeForMs: number;
  isSksProxy: boolean;
  /** AS-152; 0 when activators do not back the revision. */
  backedByActivatorForMs: number;
  /** Outcome of the probe of AS-135, once it has been tried. */
  probe: 'untried' | 'succeeded' | 'failed';
}

/** `wanted` feeds status and SKS mode (AS-138); -1 = unknown. */
export type ScalePlan =
  | { action: 'none'; wanted: number; requeueAfterMs?: number }
  | { action: 'scale'; replicas: number; wanted: number; requeueAfterMs?: number }
  /** Ask again with the outcome of the probe. */
  | { action: 'probe' }
  /** Keep probing in the background (AS-136). */
  | { action: 'probe in background'; wanted: 0 };

export function planScale(input: ScalePlanInput): ScalePlan {
  if (input.recommendation < 0 && input.active !== 'Unknown') return { action: 'none', wanted: -1 };
  const bounded = boundScale(input.recommendation, input.settings, input.wasInitialized);
  if (bounded > 0) return scaleTo(bounded);
  if (!input.config.enableScaleToZero) return scaleTo(1);
  if (input.active === 'Unknown') return planWhileActivating(input);
  return input.active === 'True' ? planWhileActive(input) : planWhileInactive(input);
}

/** AS-127, AS-128: the lower bound wins over the upper one. */
export function boundScale(
  recommendation: number,
  settings: Pick<EffectiveSettings, 'minScale' | 'maxScale' | 'initialScale' | 'isReachable'>,
  wasInitialized: boolean,
): number {
  const { minScale, maxScale, initialScale, isReachable } = settings;
  const enforcesInitial = initialScale > 1 && !wasInitialized && isReachable;
  const lower = enforcesInitial ? Math.max(minScale, initialScale) : minScale;
  if (recommendation < lower) return lower;
  return maxScale !== 0 && recommendation > maxScale ? maxScale : recommendation;
}

/** Which bound changed the recommendation; null = none did. For people (`pilotlight why`). */
export function bindingBound(
  recommendation: number,
  settings: Pick<EffectiveSettings, 'minScale' | 'maxScale' | 'initialScale' | 'isReachable'>,
  wasInitialized: boolean,
): 'min-scale' | 'max-scale' | 'initial-scale' | null {
  const bounded = boundScale(recommendation, settings, wasInitialized);
  if (bounded === recommendation) return null;
  if (bounded < recommendation) return 'max-scale';
  return bounded === settings.minScale ? 'min-scale' : 'initial-scale';
}

/** AS-131. */
function planWhileActivating(input: ScalePlanInput): ScalePlan {
  const { activationTimeoutMs } = input.settings;
  if (input.activeForMs > activationTimeoutMs) return scaleTo(0);
  return { action: 'none', wanted: -1, requeueAfterMs: activationTimeoutMs };
}

/** AS-132. */
function planWhileActive(input: ScalePlanInput): ScalePlan {
  const leftMs = input.settings.stableWindowMs - input.activeForMs;
  if (leftMs > 0) return { ...scaleTo(1), requeueAfterMs: leftMs };
  if (!input.isSksProxy) return { action: 'none', wanted: 0 };
  return { action: 'none', wanted: 0, requeueAfterMs: RECHECK_AFTER_IDLE_MS };
}

/** AS-133, AS-134. */
function planWhileInactive(input: ScalePlanInput): ScalePlan {
  if (input.settings.targetBurstCapacity !== -1) {
    if (input.probe === 'untried') return { action: 'probe' };
    if (input.probe === 'failed') return { action: 'probe in background', wanted: 0 };
  }
  const inactiveMs = input.activeForMs;
  const graceMs = input.config.scaleToZeroGracePeriodMs;
  const keepMs = input.settings.podRetentionMs;
  if (inactiveMs >= Math.max(graceMs, keepMs)) return scaleTo(0);
  if (keepMs > 0 && inactiveMs < keepMs) {
    return { action: 'none', wanted: 0, requeueAfterMs: keepMs - inactiveMs };
  }
  const missingMs = graceMs - input.backedByActivatorForMs;
  return missingMs <= 0 ? scaleTo(0) : { action: 'none', wanted: 0, requeueAfterMs: missingMs };
}

function scaleTo(replicas: number): { action: 'scale'; replicas: number; wanted: number } {
  return { action: 'scale', replicas, wanted: replicas };
}
