// `status.traffic` of a Route (CP-281): what each entry of the spec came to. Pure.

import type { TrafficTarget } from '../../api/serving.ts';
import { findRollout, type Rollout } from './rollout.ts';
import type { TrafficConfig } from './traffic.ts';

/** `urlOf` gives a tag's URL. During a rollout a latest-revision entry expands to its Revisions. */
export function statusTraffic(
  traffic: TrafficConfig,
  urlOf: (tag: string) => string,
  rollout: Rollout,
): TrafficTarget[] {
  const entries: TrafficTarget[] = [];
  for (const { tag, revisionName, latestRevision, percent, configurationName } of traffic.targets) {
    const item = latestRevision ? findRollout(rollout, tag, configurationName) : undefined;
    const shares =
      item !== undefined && item.revisions.length > 1
        ? item.revisions
        : [{ revisionName, percent }];
    for (const share of shares) {
      addMerged(entries, {
        ...(tag === '' ? {} : { tag, url: urlOf(tag) }),
        revisionName: share.revisionName,
        latestRevision,
        percent: share.percent,
      });
    }
  }
  return entries;
}

function addMerged(entries: TrafficTarget[], added: TrafficTarget): void {
  const existing = entries.find(
    (entry) =>
      entry.tag === added.tag &&
      entry.revisionName === added.revisionName &&
      entry.latestRevision === added.latestRevision,
  );
  if (existing === undefined) entries.push(added);
  else existing.percent = (existing.percent ?? 0) + (added.percent ?? 0);
}
