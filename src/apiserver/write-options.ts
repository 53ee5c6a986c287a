// What the query says about a write (KN-5): who is its manager, dry run, field validation, force.
// Wrong values are refused in the words, and under the names, Kubernetes uses. Pure.

import type { Kind } from '../api/kinds.ts';
import { invalid, type StatusError, type Violation } from './status-error.ts';
import type { FieldValidation } from './write-request.ts';

/** Bytes of a manager's name. */
const MAX_MANAGER_BYTES = 128;

export type OptionsName = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions';

const OPTIONS: Readonly<Record<string, OptionsName>> = {
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
  DELETE: 'DeleteOptions',
};

export const optionsName = (method: string): OptionsName => OPTIONS[method] ?? 'PatchOptions';

function refused(kind: Kind, options: OptionsName, violation: Violation): StatusError {
  return invalid({ ...kind, kind: options, group: 'meta.k8s.io' }, '', [violation]);
}

/** KN-175. */
export function isDryRun(kind: Kind, options: OptionsName, values: readonly string[]): boolean {
  const asked = values.filter((value) => value !== '');
  if (asked.some((value) => value !== 'All')) {
    const detail = 'supported values: "All"';
    throw refused(kind, options, { type: 'NotSupported', field: 'dryRun', value: asked, detail });
  }
  return asked.length > 0;
}

/** KN-176. */
export function fieldValidationOf(
  kind: Kind,
  options: OptionsName,
  query: URLSearchParams,
): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  const detail = 'supported values: "", "Ignore", "Strict", "Warn"';
  throw refused(kind, options, { type: 'NotSupported', field: 'fieldValidation', value, detail });
}

/** The manager the client names, else the program name of its User-Agent. */
export function managerOf(
  kind: Kind,
  options: OptionsName,
  query: URLSearchParams,
  userAgent: string | undefined,
): string {
  const field = 'fieldManager';
  const named = query.get(field) ?? '';
  if (named === '') return shortened((userAgent ?? '').split('/', 1)[0] ?? '');
  if (Buffer.byteLength(named) > MAX_MANAGER_BYTES) {
    const detail = `may not be more than ${MAX_MANAGER_BYTES} bytes`;
    throw refused(kind, options, { type: 'TooLong', field, detail });
  }
  const at = [...named].findIndex((char) => !isPrintable(char));
  if (at >= 0) {
    const code = [...named][at]!.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    const detail = `invalid character U+${code} (at position ${at})`;
    throw refused(kind, options, { type: 'Invalid', field, value: named, detail });
  }
  return named;
}

const isPrintable = (char: string): boolean =>
  char === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char);

function shortened(name: string): string {
  let kept = '';
  for (const char of name) {
    if (!isPrintable(char)) continue;
    if (Buffer.byteLength(kept + char) > MAX_MANAGER_BYTES) break;
    kept += char;
  }
  return kept;
}

/** `force=true`, which only an apply may say. */
export function checkForce(kind: Kind, query: URLSearchParams, isApply: boolean): boolean {
  const value = query.get('force');
  if (value === null) return false;
  if (!isApply) {
    const detail = 'may not be specified for non-apply patch';
    throw refused(kind, 'PatchOptions', { type: 'Forbidden', field: 'force', detail });
  }
  return value === 'true' || value === '1';
}

/** KN-190. */
export function requireManager(kind: Kind, manager: string): void {
  if (manager !== '') return;
  const detail = 'is required for apply patch';
  throw refused(kind, 'PatchOptions', { type: 'Required', field: 'fieldManager', detail });
}
