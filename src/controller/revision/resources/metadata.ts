// Labels and annotations that a Revision hands to its children (CP-201, CP-202). Pure.

import {
  AUTOSCALING_PREFIX,
  LAST_PINNED_ANNOTATION,
  NO_GC_ANNOTATION,
  REVISION_LABEL,
  REVISION_UID_LABEL,
  ROUTE_LABEL,
  ROUTES_ANNOTATION,
  ROUTING_STATE_LABEL,
  ROUTING_STATE_MODIFIED_ANNOTATION,
} from '../../../api/labels.ts';
import type { Revision } from '../../../api/serving.ts';
import { withoutKeys } from '../../children.ts';

const APP_LABEL = 'app';
/** About the Revision itself, meaningless on its children. */
const NOT_PROPAGATED = [
  LAST_PINNED_ANNOTATION,
  NO_GC_ANNOTATION,
  ROUTING_STATE_MODIFIED_ANNOTATION,
  ROUTES_ANNOTATION,
];

/** CP-201. */
export function childLabels({ metadata }: Revision): Record<string, string> {
  return {
    [APP_LABEL]: metadata.name,
    ...withoutKeys(metadata.labels, [ROUTE_LABEL, ROUTING_STATE_LABEL]),
    [REVISION_LABEL]: metadata.name,
    [REVISION_UID_LABEL]: metadata.uid ?? '',
  };
}

/** CP-191: autoscaling keys stay. */
export function autoscalerAnnotations({ metadata }: Revision): Record<string, string> {
  return withoutKeys(metadata.annotations, NOT_PROPAGATED);
}

/** CP-202. */
export function podAnnotations(revision: Revision): Record<string, string> {
  const kept = Object.entries(autoscalerAnnotations(revision)).filter(
    ([key]) => !key.startsWith(AUTOSCALING_PREFIX.slice(0, -1)),
  );
  return Object.fromEntries(kept);
}
