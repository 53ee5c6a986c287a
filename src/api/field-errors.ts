// Validation errors as the webhook reports them (WH-20 to WH-23): each has a message, the paths it
// concerns, optional details and a level. Sets of them are merged and printed in one fixed order,
// so that the text an API user sees is the same however the checks ran. Pure.

export interface FieldError {
  readonly message: string;
  /** WH-21. Empty = about the object as a whole. */
  readonly paths: readonly string[];
  readonly details?: string;
  /** Warnings never deny. */
  readonly level?: 'error' | 'warning';
}

export function fieldError(message: string, ...paths: string[]): FieldError {
  return { message, paths };
}

export function detailedError(message: string, details: string, ...paths: string[]): FieldError {
  return { message, paths, details };
}

export const missingField = (...paths: string[]): FieldError =>
  fieldError('missing field(s)', ...paths);
export const disallowedFields = (...paths: string[]): FieldError =>
  fieldError('must not set the field(s)', ...paths);
export const invalidValue = (value: unknown, path: string, details?: string): FieldError => ({
  message: `invalid value: ${String(value)}`,
  paths: [path],
  ...(details === undefined ? {} : { details }),
});
export const invalidKeyName = (key: string, path: string, details?: string): FieldError => ({
  message: `invalid key name ${JSON.stringify(key)}`,
  paths: [path],
  ...(details === undefined ? {} : { details }),
});
export const outOfBounds = (
  value: number | string,
  low: number | string,
  high: number | string,
  path: string,
): FieldError => fieldError(`expected ${low} <= ${value} <= ${high}`, path);
export const missingOneOf = (...paths: string[]): FieldError =>
  fieldError('expected exactly one, got neither', ...paths);
export const multipleOneOf = (...paths: string[]): FieldError =>
  fieldError('expected exactly one, got both', ...paths);

/** Joins a parent path and a field: `spec` + `traffic`, `containers` + `[0]`. */
export function joinPath(parent: string, field: string): string {
  if (parent === '') return field;
  if (field === '') return parent;
  return field.startsWith('[') ? parent + field : `${parent}.${field}`;
}

/** Puts every path of `errors` under `prefix`; an error without paths stays without. */
export function underPath(prefix: string, errors: readonly FieldError[]): FieldError[] {
  return errors.map((error) => ({
    ...error,
    paths: error.paths.map((path) => joinPath(prefix, path)),
  }));
}

/** WH-20: text of the errors of one level, or `''` when there are none. */
export function renderErrors(
  errors: readonly FieldError[],
  level: 'error' | 'warning' = 'error',
): string {
  return mergeErrors(errors.filter((error) => (error.level ?? 'error') === level))
    .map(renderError)
    .join('\n');
}

function renderError(error: FieldError): string {
  const head = `${error.message}: ${error.paths.join(', ')}`;
  return error.details === undefined || error.details === '' ? head : `${head}\n${error.details}`;
}

/** Unites the paths of equal errors; sorted by message, then details. */
export function mergeErrors(errors: readonly FieldError[]): FieldError[] {
  const merged = new Map<string, { error: FieldError; paths: Set<string> }>();
  for (const error of errors) {
    const key = JSON.stringify([error.level ?? 'error', error.message, error.details ?? '']);
    const entry = merged.get(key) ?? { error, paths: new Set<string>() };
    for (const path of error.paths) entry.paths.add(path);
    merged.set(key, entry);
  }
  return [...merged.values()]
    .map(({ error, paths }) => ({ ...error, paths: [...paths].sort() }))
    .sort((a, b) => compare(a.message, b.message) || compare(a.details ?? '', b.details ?? ''));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
