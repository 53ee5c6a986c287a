// Differences between two versions of plain JSON, for the error that says what may not change
// (WH-68). Pure. `api` may not use `kube`, so equality has a small home here too.

export function deepEqualJson(a: unknown, b: unknown): boolean {
  return jsonDifferences('', a, b).length === 0;
}

/** WH-68: one block per changed leaf, `root` first. */
export function renderDiff(root: string, old: unknown, now: unknown): string {
  return jsonDifferences(`{${root}}`, old, now)
    .map(({ path, before, after }) => `${path}:\n\t-: ${printed(before)}\n\t+: ${printed(after)}\n`)
    .join('');
}

interface Difference {
  path: string;
  before: unknown;
  after: unknown;
}

function jsonDifferences(path: string, given: unknown, now: unknown): Difference[] {
  // null is how JSON may write "absent".
  const before = given ?? undefined;
  const after = now ?? undefined;
  if (Object.is(before, after)) return [];
  if (isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)) {
    const isList = Array.isArray(before);
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) =>
      jsonDifferences(
        isList ? `${path}[${key}]` : `${path}.${capital(key)}`,
        before[key],
        after[key],
      ),
    );
  }
  return [{ path, before, after }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function capital(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1);
}

function printed(value: unknown): string {
  return value === undefined ? '<absent>' : JSON.stringify(value);
}
