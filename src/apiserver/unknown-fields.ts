// What happens to fields a schema does not know (KN-176): an error, warnings, or silence, as the
// client asked. Members named twice in the body are complained about in the same breath.

import type { Kind } from '../api/kinds.ts';
import { badRequest, cannotBeHandled } from './status-error.ts';
import type { WriteRequest } from './write-request.ts';

/** `unknown` are paths of fields that have been dropped. Throws 400 under `Strict`. */
export function complain(
  request: WriteRequest,
  unknown: readonly string[],
  onUnknownField?: (kind: Kind, path: string) => void,
): void {
  const { kind, fieldValidation, duplicates, warnings } = request;
  if (fieldValidation === 'Ignore') return;
  const complaints = [
    ...duplicates.map((field) => `duplicate field "${field}"`),
    ...unknown.map((field) => `unknown field "${field}"`),
  ];
  if (fieldValidation === 'Strict' && complaints.length > 0) {
    const list = complaints.join(', ');
    throw badRequest(`${cannotBeHandled(kind)}: strict decoding error: ${list}`);
  }
  for (const text of complaints) if (!warnings.includes(text)) warnings.push(text);
  for (const path of unknown) onUnknownField?.(kind, path);
}
