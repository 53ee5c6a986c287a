// The conditions of a CustomResourceDefinition: whether its names were free and it is served. Pure.

import type { CustomResourceDefinition } from '../../api/custom-resource.ts';
import type { JsonObject } from '../patch/json-value.ts';

export interface Verdict {
  type: 'NamesAccepted' | 'Established';
  status: 'True' | 'False';
  reason: string;
  message: string;
}

/** Status of a definition; `refusal` says why its names are not accepted. `now` is RFC 3339. */
export function statusOf(
  { spec, status }: CustomResourceDefinition,
  refusal: Verdict | null,
  now: string,
): JsonObject {
  const accepted: Verdict = refusal ?? {
    type: 'NamesAccepted',
    status: 'True',
    reason: 'NoConflicts',
    message: 'no conflicts found',
  };
  const established: Verdict =
    refusal === null
      ? {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        }
      : {
          type: 'Established',
          status: 'False',
          reason: 'NotAccepted',
          message: 'not all names are accepted',
        };
  const old = (status?.conditions ?? []) as {
    type: string;
    status: string;
    lastTransitionTime?: string;
  }[];
  const conditions = [accepted, established].map((verdict) => {
    const before = old.find(({ type }) => type === verdict.type);
    const isSame = before?.status === verdict.status && before.lastTransitionTime !== undefined;
    return { ...verdict, lastTransitionTime: isSame ? before.lastTransitionTime : now };
  });
  const stored = spec.versions.filter(({ storage }) => storage).map(({ name }) => name);
  const storedVersions = [...new Set([...(status?.storedVersions ?? []), ...stored])];
  const acceptedNames = refusal === null ? spec.names : { plural: '', kind: '' };
  return { acceptedNames, conditions, storedVersions };
}
