// What a Revision's status says of its images (CP-162): known for all containers, or not at all.
// Pure.

import type { Container } from '../../api/core.ts';
import type { Revision, RevisionContainerStatus, RevisionStatus } from '../../api/serving.ts';

/** CP-162: what was resolved once stays. */
export function hasContainerStatuses({ spec, status = {} }: Revision): boolean {
  const known =
    (status.containerStatuses?.length ?? 0) + (status.initContainerStatuses?.length ?? 0);
  return known === spec.containers.length + (spec.initContainers?.length ?? 0);
}

/** Every image as given: whoever runs it knows what it means. */
export function givenStatuses({ spec }: Revision): Partial<RevisionStatus> {
  const asStatus = ({ name, image }: Container): RevisionContainerStatus => ({
    name,
    ...(image === undefined ? {} : { imageDigest: image }),
  });
  const initContainers = spec.initContainers ?? [];
  return {
    containerStatuses: spec.containers.map(asStatus),
    ...(initContainers.length === 0 ? {} : { initContainerStatuses: initContainers.map(asStatus) }),
  };
}
