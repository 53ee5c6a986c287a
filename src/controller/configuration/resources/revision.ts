// The Revision a Configuration wants for its current generation (CP-143). Pure.

import { apiVersionOf, Revision as RevisionKind } from '../../../api/kinds.ts';
import {
  CONFIGURATION_GENERATION_LABEL,
  CONFIGURATION_LABEL,
  CONFIGURATION_UID_LABEL,
  CREATOR_ANNOTATION,
  LAST_MODIFIER_ANNOTATION,
  ROUTES_ANNOTATION,
  ROUTING_STATE_ACTIVE,
  ROUTING_STATE_LABEL,
  ROUTING_STATE_MODIFIED_ANNOTATION,
  ROUTING_STATE_PENDING,
  SERVICE_LABEL,
  SERVICE_UID_LABEL,
} from '../../../api/labels.ts';
import { generatedRevisionName } from '../../../api/naming.ts';
import { controllerReference } from '../../../api/objects.ts';
import type { Configuration, Revision } from '../../../api/serving.ts';
import { timestamp } from '../../context.ts';

export function makeRevision(configuration: Configuration, nowMs: number): Revision {
  const { metadata, spec } = configuration;
  const given = spec.template.metadata ?? {};
  return {
    apiVersion: apiVersionOf(RevisionKind),
    kind: 'Revision',
    metadata: {
      ...given,
      name: revisionName(configuration),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...given.labels, ...ownLabels(configuration) },
      annotations: { ...given.annotations, ...ownAnnotations(configuration, nowMs) },
      ownerReferences: [...(given.ownerReferences ?? []), controllerReference(configuration)],
    },
    spec: spec.template.spec,
  };
}

/** The template's own name if it has one. */
export function revisionName(configuration: Configuration): string {
  const { metadata, spec } = configuration;
  return (
    spec.template.metadata?.name || generatedRevisionName(metadata.name, metadata.generation ?? 0)
  );
}

function ownLabels({ metadata }: Configuration): Record<string, string> {
  const isRouted = metadata.annotations?.[ROUTES_ANNOTATION] !== undefined;
  const labels: Record<string, string | undefined> = {
    [CONFIGURATION_LABEL]: metadata.name,
    [CONFIGURATION_UID_LABEL]: metadata.uid,
    [CONFIGURATION_GENERATION_LABEL]: String(metadata.generation ?? 0),
    [SERVICE_LABEL]: metadata.labels?.[SERVICE_LABEL],
    [SERVICE_UID_LABEL]: metadata.labels?.[SERVICE_UID_LABEL],
    [ROUTING_STATE_LABEL]: isRouted ? ROUTING_STATE_ACTIVE : ROUTING_STATE_PENDING,
  };
  return nonEmpty(labels);
}

function ownAnnotations({ metadata }: Configuration, nowMs: number): Record<string, string> {
  return nonEmpty({
    [ROUTING_STATE_MODIFIED_ANNOTATION]: timestamp(nowMs),
    [CREATOR_ANNOTATION]: metadata.annotations?.[LAST_MODIFIER_ANNOTATION],
    [ROUTES_ANNOTATION]: metadata.annotations?.[ROUTES_ANNOTATION],
  });
}

function nonEmpty(map: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(map).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(entries) as Record<string, string>;
}
