// The `scale` subresource (KN-230): any kind that has it is seen as `autoscaling/v1 Scale` and
// scaled by `spec.replicas`. Pure.

import type { LabelSelector } from '../api/core.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { invalid } from './status-error.ts';

export interface Scale extends KubeObject {
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

interface Scalable extends KubeObject {
  spec?: { replicas?: number; selector?: LabelSelector };
  status?: { replicas?: number };
}

/** `a=b,c in (d)`: a selector object in its text form. */
export function selectorText(selector: LabelSelector | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(
    ([key, value]) => `${key}=${value}`,
  );
  const sets = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator.toLowerCase()} (${values.join(',')})`;
  });
  return [...equal, ...sets].join(',');
}

export function toScale(object: KubeObject): Scale {
  const { metadata, spec, status } = object as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: spec?.replicas ?? 1 },
    status: { replicas: status?.replicas ?? 0, selector: selectorText(spec?.selector) },
  };
}

/** The object scaled as the Scale asks; preconditions in its metadata carry over. */
export function withScale(kind: Kind, object: KubeObject, scale: KubeObject): KubeObject {
  const replicas = (scale as Partial<Scale>).spec?.replicas ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw invalid(kind, object.metadata.name, [
      {
        type: 'Invalid',
        field: 'spec.replicas',
        value: replicas,
        detail: 'must be greater than or equal to 0',
      },
    ]);
  }
  const { resourceVersion, uid } = scale.metadata ?? {};
  const metadata = { ...object.metadata };
  if (resourceVersion !== undefined) metadata.resourceVersion = resourceVersion;
  if (uid !== undefined) metadata.uid = uid;
  const { spec } = object as Scalable;
  return { ...object, metadata, spec: { ...spec, replicas } } as KubeObject;
}
