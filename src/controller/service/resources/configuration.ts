// The Configuration a Service wants (CP-121). Pure.

import { apiVersionOf, Configuration as ConfigurationKind } from '../../../api/kinds.ts';
import {
  LAST_APPLIED_ANNOTATION,
  ROLLOUT_DURATION_ANNOTATIONS,
  ROUTES_ANNOTATION,
  SERVICE_LABEL,
  SERVICE_UID_LABEL,
} from '../../../api/labels.ts';
import { controllerReference } from '../../../api/objects.ts';
import type { Configuration, KnativeService } from '../../../api/serving.ts';
import { withoutKeys } from '../../children.ts';

/** `live` is the existing Configuration, if any: routes that point at it stay listed. */
export function makeConfiguration(
  service: KnativeService,
  live: Configuration | undefined,
): Configuration {
  const { metadata } = service;
  const dropped = [LAST_APPLIED_ANNOTATION, ...ROLLOUT_DURATION_ANNOTATIONS];
  return {
    apiVersion: apiVersionOf(ConfigurationKind),
    kind: 'Configuration',
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: {
        ...metadata.labels,
        [SERVICE_LABEL]: metadata.name,
        [SERVICE_UID_LABEL]: metadata.uid ?? '',
      },
      annotations: {
        ...withoutKeys(metadata.annotations, dropped),
        [ROUTES_ANNOTATION]: unitedRoutes(
          live?.metadata.annotations?.[ROUTES_ANNOTATION],
          metadata.name,
        ),
      },
      ownerReferences: [controllerReference(service)],
    },
    spec: { template: service.spec.template },
  };
}

/** Sorted, comma separated, without repeats. */
function unitedRoutes(existing: string | undefined, route: string): string {
  const names = new Set((existing ?? '').split(',').filter((name) => name !== ''));
  names.add(route);
  return [...names].sort().join(',');
}
