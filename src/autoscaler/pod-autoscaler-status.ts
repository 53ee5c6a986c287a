// Status of a PodAutoscaler of class KPA at the end of a pass (AS-140 to AS-147). Works on the
// pass's own copy of the status through its ConditionManager; no IO, no clock.

import type { PodAutoscalerStatus } from '../api/autoscaling.ts';
import type { ConditionManager } from '../api/conditions.ts';
import { activeThreshold, type EffectiveSettings } from './effective-settings.ts';

export const ACTIVE = 'Active';
export const SCALE_TARGET_INITIALIZED = 'ScaleTargetInitialized';
export const SKS_READY = 'SKSReady';

const NO_TRAFFIC = ['NoTraffic', 'The target is not receiving traffic.'] as const;
const TIMED_OUT = ['TimedOut', 'The target could not be activated.'] as const;
const QUEUED = [
  'Queued',
  'Requests to the target are being buffered as resources are provisioned.',
] as const;

/** `wanted` is the scale of AS-138, -1 = unknown. */
export function computeScaleStatus(
  status: PodAutoscalerStatus,
  conditions: ConditionManager,
  settings: EffectiveSettings,
  wanted: number,
  readyPods: number,
): void {
  status.actualScale = readyPods;
  if (wanted >= 0 || (status.desiredScale ?? -1) < 0) status.desiredScale = wanted;
  const wasInitialized = conditions.get(SCALE_TARGET_INITIALIZED)?.status === 'True';
  const threshold = activeThreshold(settings, wasInitialized);
  if (readyPods >= threshold && (status.serviceName ?? '') !== '') {
    conditions.markTrue(SCALE_TARGET_INITIALIZED);
  }
  markActive(conditions, threshold, wanted, readyPods);
}

/** AS-143, first match wins. */
function markActive(
  conditions: ConditionManager,
  threshold: number,
  wanted: number,
  readyPods: number,
): void {
  const active = conditions.get(ACTIVE)?.status ?? 'Unknown';
  const isWanted = wanted > 0 || active !== 'False';
  if (wanted === 0 || threshold === 0) {
    const isTimeout = active === 'Unknown' && threshold > 0;
    if (isTimeout) conditions.markFalse(ACTIVE, ...TIMED_OUT);
    else conditions.markFalse(ACTIVE, ...NO_TRAFFIC);
  } else if (readyPods < threshold) {
    if (isWanted) conditions.markUnknown(ACTIVE, ...QUEUED);
    else conditions.markFalse(ACTIVE, ...NO_TRAFFIC);
  } else if (isWanted) {
    conditions.markTrue(ACTIVE);
  }
}

/** AS-145. */
export function markFailedCreate(conditions: ConditionManager, kind: string, name: string): void {
  conditions.markFalse(ACTIVE, 'FailedCreate', `Failed to create ${kind} "${name}".`);
}

/** AS-144. */
export function markNotOwned(conditions: ConditionManager, kind: string, name: string): void {
  const message = `There is an existing ${kind} "${name}" that we do not own.`;
  conditions.markFalse(ACTIVE, 'NotOwned', message);
}
