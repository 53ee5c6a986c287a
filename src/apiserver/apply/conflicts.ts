// The answer to an apply that would change what somebody else owns (KN-193), worded as Kubernetes
// does, because kubectl prints it as it comes.

import { StatusError } from '../status-error.ts';
import { type FieldSet, pathsOf } from './field-set.ts';
import type { ManagedEntry } from './managed-fields.ts';

export interface Conflict {
  entry: ManagedEntry;
  fields: FieldSet;
}

function managerText({ manager, operation, apiVersion, subresource }: ManagedEntry): string {
  const name = JSON.stringify(manager ?? '');
  const what = subresource === undefined ? name : `${name} with subresource "${subresource}"`;
  return operation === 'Apply' ? what : `${what} using ${apiVersion}`;
}

/** 409 with one cause per field. */
export function applyConflict(conflicts: readonly Conflict[]): StatusError {
  const found = conflicts
    .map(({ entry, fields }) => ({ who: managerText(entry), paths: pathsOf(fields) }))
    .sort((a, b) => (a.who < b.who ? -1 : 1));
  const causes = found.flatMap(({ who, paths }) =>
    paths.map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${who}`,
      field,
    })),
  );
  return new StatusError(409, 'Conflict', messageText(found, causes.length), { causes });
}

function messageText(
  found: readonly { who: string; paths: readonly string[] }[],
  count: number,
): string {
  if (count === 1) {
    const [{ who, paths }] = found as [(typeof found)[number]];
    return `Apply failed with 1 conflict: conflict with ${who}: ${paths[0]}`;
  }
  const lines = found.flatMap(({ who, paths }) => [
    `conflicts with ${who}:`,
    ...paths.map((path) => `- ${path}`),
  ]);
  return `Apply failed with ${count} conflicts: ${lines.join('\n')}`;
}
