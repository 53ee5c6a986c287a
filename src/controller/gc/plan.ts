// Which Revisions of a Configuration may go (CP-390). Pure.

import type { GcConfig } from '../../api/config/gc.ts';
import {
  NO_GC_ANNOTATION,
  ROUTING_STATE_LABEL,
  ROUTING_STATE_MODIFIED_ANNOTATION,
  ROUTING_STATE_RESERVE,
} from '../../api/labels.ts';
import type { Configuration, Revision } from '../../api/serving.ts';

/** In the order in which they should be deleted. */
export function revisionsToDelete(
  configuration: Configuration,
  revisions: readonly Revision[],
  config: GcConfig,
  nowMs: number,
): Revision[] {
  const { minNonActiveRevisions: min, maxNonActiveRevisions: max } = config;
  const { retainSinceCreateTimeMs, retainSinceLastActiveTimeMs } = config;
  const isOff =
    max === null && retainSinceCreateTimeMs === null && retainSinceLastActiveTimeMs === null;
  if (isOff || revisions.length <= min) return [];
  const idle = revisions
    .filter((revision) => !isActive(revision, configuration))
    .sort((a, b) => lastActiveMs(a) - lastActiveMs(b));
  if (idle.length <= min) return [];
  const stale = idle
    .filter((revision) => isStale(revision, config, nowMs))
    .slice(0, idle.length - min);
  const rest = idle.filter((revision) => !stale.includes(revision));
  const surplus = max === null ? 0 : Math.max(0, rest.length - max);
  return [...stale, ...rest.slice(0, surplus)];
}

function isActive({ metadata }: Revision, configuration: Configuration): boolean {
  if (metadata.name === configuration.status?.latestReadyRevisionName) return true;
  if (metadata.annotations?.[NO_GC_ANNOTATION]?.toLowerCase() === 'true') return true;
  return metadata.labels?.[ROUTING_STATE_LABEL] !== ROUTING_STATE_RESERVE;
}

function isStale(revision: Revision, config: GcConfig, nowMs: number): boolean {
  const { retainSinceCreateTimeMs: create, retainSinceLastActiveTimeMs: active } = config;
  if (create === null && active === null) return false;
  const isOld = create === null || nowMs - createdMs(revision) >= create;
  const isIdle = active === null || nowMs - lastActiveMs(revision) >= active;
  return isOld && isIdle;
}

function createdMs({ metadata }: Revision): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

function lastActiveMs(revision: Revision): number {
  const text = revision.metadata.annotations?.[ROUTING_STATE_MODIFIED_ANNOTATION];
  return Date.parse(text ?? '') || createdMs(revision);
}
