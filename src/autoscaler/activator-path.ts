// Whether requests take the way through activators, and through how many (AS-150 to AS-152). Pure.

import { findCondition } from '../api/conditions.ts';
import type { ServerlessService, ServerlessServiceMode } from '../api/networking.ts';

export const MIN_ACTIVATORS = 2;

/** AS-150: an unknown scale (-1) means Proxy. */
export function sksMode(wantedScale: number, excessBurstCapacity: number): ServerlessServiceMode {
  return wantedScale > 0 && excessBurstCapacity >= 0 ? 'Serve' : 'Proxy';
}

/** AS-151. */
export function activatorCount(
  readyPods: number,
  capacity: number,
  targetBurstCapacity: number,
  activatorCapacity: number,
): number {
  if (targetBurstCapacity === 0) return MIN_ACTIVATORS;
  const total = readyPods * capacity + Math.max(targetBurstCapacity, 0);
  return Math.max(MIN_ACTIVATORS, Math.ceil(total / activatorCapacity));
}

/** AS-152. */
export function backedByActivatorForMs(sks: ServerlessService, nowMs: number): number {
  const condition = findCondition(sks, 'ActivatorEndpointsPopulated');
  if (condition?.status !== 'True' || condition.lastTransitionTime === undefined) return 0;
  return nowMs - Date.parse(condition.lastTransitionTime);
}
