// The Route a Service wants (CP-122). Pure.

import { apiVersionOf, Route as RouteKind } from '../../../api/kinds.ts';
import { LAST_APPLIED_ANNOTATION, SERVICE_LABEL } from '../../../api/labels.ts';
import { controllerReference } from '../../../api/objects.ts';
import type { KnativeService, Route } from '../../../api/serving.ts';
import { mapMembers, withoutKeys } from '../../children.ts';

export function makeRoute(service: KnativeService): Route {
  const { metadata } = service;
  return {
    apiVersion: apiVersionOf(RouteKind),
    kind: 'Route',
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...mapMembers({
        labels: { ...metadata.labels, [SERVICE_LABEL]: metadata.name },
        annotations: withoutKeys(metadata.annotations, [LAST_APPLIED_ANNOTATION]),
      }),
      ownerReferences: [controllerReference(service)],
    },
    spec: {
      traffic: (service.spec.traffic ?? []).map((target) =>
        (target.revisionName ?? '') === ''
          ? { ...target, configurationName: metadata.name }
          : { ...target },
      ),
    },
  };
}
