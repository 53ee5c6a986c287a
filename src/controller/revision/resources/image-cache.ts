// Image objects (CP-190): tell a caching layer, where a cluster has one, which images a Revision is
// made of. Pure.

import { apiVersionOf, Image as ImageKind } from '../../../api/kinds.ts';
import { childName } from '../../../api/naming.ts';
import { controllerReference, type KubeObject } from '../../../api/objects.ts';
import type { Revision } from '../../../api/serving.ts';
import { childLabels, podAnnotations } from './metadata.ts';

export interface Image extends KubeObject {
  spec: {
    image: string;
    serviceAccountName?: string;
    imagePullSecrets?: { name?: string }[];
  };
}

/** One for each container and init container whose image is known. */
export function makeImages(revision: Revision): Image[] {
  const { containerStatuses = [], initContainerStatuses = [] } = revision.status ?? {};
  const { serviceAccountName, imagePullSecrets } = revision.spec;
  const { namespace, name } = revision.metadata;
  return [...containerStatuses, ...initContainerStatuses].map((status) => ({
    apiVersion: apiVersionOf(ImageKind),
    kind: 'Image',
    metadata: {
      name: childName(childName(name, '-cache'), `-${status.name}`),
      ...(namespace === undefined ? {} : { namespace }),
      labels: childLabels(revision),
      annotations: podAnnotations(revision),
      ownerReferences: [controllerReference(revision)],
    },
    spec: {
      image: status.imageDigest ?? '',
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
    },
  }));
}
