// Which Revision a Configuration calls its latest ready one (CP-147). Only ever moves forward: a
// newer Revision that fails never takes the name away from an older one that works. Pure.

import { isReady } from '../../api/conditions.ts';
import { type Configuration, configurationGeneration, type Revision } from '../../api/serving.ts';

/** `revisions` are all that carry the Configuration's label. */
export function findLatestReady(
  configuration: Configuration,
  revisions: readonly Revision[],
): Revision | undefined {
  const templateName = configuration.spec.template.metadata?.name;
  const generationOf = (revision: Revision): number =>
    configurationGeneration(revision) ?? configuration.metadata.generation ?? 0;
  return candidates(configuration, revisions, generationOf)
    .sort((a, b) => {
      if (a.metadata.name === templateName) return -1;
      if (b.metadata.name === templateName) return 1;
      return generationOf(b) - generationOf(a);
    })
    .find(isReady);
}

function candidates(
  configuration: Configuration,
  revisions: readonly Revision[],
  generationOf: (revision: Revision) => number,
): Revision[] {
  const { latestReadyRevisionName, latestCreatedRevisionName } = configuration.status ?? {};
  const current = revisions.find(({ metadata }) => metadata.name === latestReadyRevisionName);
  if (current === undefined) return [...revisions];
  const oldest = generationOf(current);
  const newest = configuration.metadata.generation ?? oldest;
  const isNamed = Boolean(configuration.spec.template.metadata?.name);
  return revisions.filter((revision) => {
    if (isNamed && revision.metadata.name === latestCreatedRevisionName) return true;
    const generation = generationOf(revision);
    return generation >= oldest && generation <= newest;
  });
}
