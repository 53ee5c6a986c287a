// The JSON patch (RFC 6902) that turns one plain JSON value into another, for the answer to a
// mutation (WH-15). Lists of the same length are compared entry by entry, others are replaced as a
// whole. Pure.

export interface PatchOperation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

export function jsonPatch(before: unknown, after: unknown, path = ''): PatchOperation[] {
  if (Object.is(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return after.flatMap((item, index) => jsonPatch(before[index], item, `${path}/${index}`));
  }
  if (!isRecord(before) || !isRecord(after)) return [{ op: 'replace', path, value: after }];
  const operations: PatchOperation[] = [];
  for (const key of Object.keys(before)) {
    if (after[key] === undefined)
      operations.push({ op: 'remove', path: `${path}/${escaped(key)}` });
  }
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined) continue;
    const place = `${path}/${escaped(key)}`;
    if (Object.hasOwn(before, key)) operations.push(...jsonPatch(before[key], value, place));
    else operations.push({ op: 'add', path: place, value });
  }
  return operations;
}

/** RFC 6901. */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
