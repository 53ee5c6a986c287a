// Two questions a Service asks about its children before it calls itself ready. Pure.

import { CONFIGURATION_GENERATION_LABEL } from '../../api/labels.ts';
import type { Configuration, Revision, Route, TrafficTarget } from '../../api/serving.ts';
import { deepEqual } from '../../kube/equal.ts';
import { isControlledBy } from '../children.ts';

/**
 * CP-127: somebody else's Revision has the name, or ours of another generation with another spec.
 */
export function isNameTaken(revision: Revision, configuration: Configuration): boolean {
  if (!isControlledBy(revision, configuration)) return true;
  const generation = revision.metadata.labels?.[CONFIGURATION_GENERATION_LABEL];
  if (generation === String(configuration.metadata.generation)) return false;
  return !deepEqual(revision.spec, configuration.spec.template.spec);
}

/**
 * CP-129: the Route's status shows what its spec asks for, with the latest ready Revision filled
 * in.
 */
export function isTrafficMigrated(route: Route, configuration: Configuration): boolean {
  const wanted = route.spec.traffic ?? [];
  const actual = route.status?.traffic ?? [];
  if (wanted.length !== actual.length) return false;
  const latest = configuration.status?.latestReadyRevisionName;
  return wanted.every((target, index) => {
    const resolved =
      target.configurationName === configuration.metadata.name
        ? withRevision(target, latest)
        : target;
    return deepEqual(comparable(resolved), comparable(actual[index]!));
  });
}

function withRevision(target: TrafficTarget, revisionName: string | undefined): TrafficTarget {
  const { configurationName, ...rest } = target;
  return revisionName === undefined ? rest : { ...rest, revisionName };
}

/** Without `url` and `latestRevision`; zero values count as absent. */
function comparable(target: TrafficTarget): object {
  return {
    tag: target.tag || undefined,
    revisionName: target.revisionName || undefined,
    configurationName: target.configurationName || undefined,
    percent: target.percent || undefined,
  };
}
