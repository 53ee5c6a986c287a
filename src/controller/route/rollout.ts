// State of gradual rollouts (CP-360 to CP-367), kept as JSON on the Ingress: for each
// latest-revision target, how its share is divided among Revisions, oldest first. Pure.

import { DEFAULT_GROUP, type TrafficConfig } from './traffic.ts';

export interface RevisionShare {
  revisionName: string;
  percent: number;
}

/** Times are nanoseconds since the epoch, held as doubles: exact to a quarter of a microsecond. */
export interface StepParams {
  starttime?: number;
  nextStepTime?: number;
  stepDuration?: number;
  /** Percent moved per step. */
  stepSize?: number;
}

/** Members in the order in which they are written. */
export interface ConfigurationRollout {
  configurationName: string;
  /** Absent for the default group. */
  tag?: string;
  percent: number;
  revisions: RevisionShare[];
  stepParams: StepParams;
}

export interface Rollout {
  /** Absent when empty; sorted by tag, then Configuration. */
  configurations?: ConfigurationRollout[];
}

/** CP-360: every latest-revision target entirely on its newest Revision. */
export function baselineRollout(traffic: TrafficConfig): Rollout {
  const configurations: ConfigurationRollout[] = [];
  for (const [tag, group] of traffic.groups) {
    for (const { latestRevision, configurationName, revisionName, percent } of group) {
      if (!latestRevision || percent <= 0) continue;
      configurations.push({
        configurationName,
        ...(tag === DEFAULT_GROUP ? {} : { tag }),
        percent,
        revisions: [{ revisionName, percent }],
        stepParams: {},
      });
    }
  }
  if (configurations.length === 0) return {};
  return { configurations: configurations.sort(byTagThenName) };
}

export function byTagThenName(a: ConfigurationRollout, b: ConfigurationRollout): number {
  const [tagA, tagB] = [a.tag ?? '', b.tag ?? ''];
  if (tagA !== tagB) return tagA < tagB ? -1 : 1;
  return a.configurationName < b.configurationName ? -1 : 1;
}

export function findRollout(
  rollout: Rollout,
  tag: string,
  configurationName: string,
): ConfigurationRollout | undefined {
  return rollout.configurations?.find(
    (item) => (item.tag ?? '') === tag && item.configurationName === configurationName,
  );
}

/** CP-367. */
export function isRollingOut(rollout: Rollout): boolean {
  return (rollout.configurations ?? []).some(({ revisions }) => revisions.length > 1);
}

/** Unix milliseconds of the earliest step; null when none is due. */
export function nextStepAtMs(rollout: Rollout): number | null {
  const times = (rollout.configurations ?? [])
    .filter(({ revisions }) => revisions.length > 1)
    .map(({ stepParams }) => stepParams.nextStepTime ?? 0)
    .filter((time) => time > 0);
  return times.length === 0 ? null : Math.min(...times) / 1e6;
}
