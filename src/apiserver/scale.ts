// The `scale` subresource (KN-230): any kind that has it is seen as `autoscaling/v1 Scale` and
// scaled by `spec.replicas`. Pure.

import type { LabelSelector } from '../api/core.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { JsonObject } from './patch/json-value.ts';
import { badRequest, internalError, invalid } from './status-error.ts';

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

const readPath = (object: unknown, path: string): unknown =>
  path
    .split('.')
    .slice(1)
    .reduce((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);

/** Where a custom kind keeps its numbers; `.spec.replicas` and so on for all others. */
function numbersOf(kind: Kind, object: KubeObject): Pick<Scale, 'spec' | 'status'> {
  const { spec, status } = object as Scalable;
  if (kind.scale === undefined) {
    const selector = selectorText(spec?.selector);
    return {
      spec: { replicas: spec?.replicas ?? 1 },
      status: { replicas: status?.replicas ?? 0, selector },
    };
  }
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = kind.scale;
  const wanted = readPath(object, specReplicasPath);
  if (typeof wanted !== 'number') {
    throw internalError(`the spec replicas field "${specReplicasPath}" does not exist`);
  }
  const selector =
    labelSelectorPath === undefined ? undefined : readPath(object, labelSelectorPath);
  return {
    spec: { replicas: wanted },
    status: {
      replicas: Number(readPath(object, statusReplicasPath) ?? 0),
      ...(typeof selector === 'string' ? { selector } : {}),
    },
  };
}

function withReplicas(kind: Kind, object: KubeObject, replicas: number): KubeObject {
  const path = (kind.scale?.specReplicasPath ?? '.spec.replicas').split('.').slice(1);
  const set = (at: unknown, [name = '', ...rest]: readonly string[]): unknown => ({
    ...(at as object | undefined),
    [name]: rest.length === 0 ? replicas : set((at as JsonObject | undefined)?.[name], rest),
  });
  return set(object, path) as KubeObject;
}

export function toScale(kind: Kind, object: KubeObject): Scale {
  const { metadata } = object;
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
    ...numbersOf(kind, object),
  };
}

/** The object scaled as the Scale asks; preconditions in its metadata carry over. */
export function withScale(kind: Kind, object: KubeObject, scale: KubeObject): KubeObject {
  const { name } = object.metadata;
  const asked = scale.metadata?.name;
  if (asked !== undefined && asked !== name) {
    throw badRequest(
      `the name of the object (${asked}) does not match the name on the URL (${name})`,
    );
  }
  const replicas = (scale as Partial<Scale>).spec?.replicas ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw invalid({ ...kind, kind: 'Scale', group: 'autoscaling' }, name, [
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
  return { ...withReplicas(kind, object, replicas), metadata };
}
