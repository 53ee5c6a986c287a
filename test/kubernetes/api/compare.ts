// Where two normalised answers differ, as paths. Pure.

export interface Difference {
  /** `code`, `body.metadata.labels.a`, `body.items[2].data`; array lengths as `….length`. */
  readonly path: string;
  readonly ours: unknown;
  readonly theirs: unknown;
}

/** Longest text of a value in a message. */
const MAX_SHOWN_CHARS = 300;

export function compare(ours: unknown, theirs: unknown, path = ''): Difference[] {
  if (Array.isArray(ours) && Array.isArray(theirs)) return compareLists(ours, theirs, path);
  if (isRecord(ours) && isRecord(theirs)) {
    const names = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
    return [...names].flatMap((name) => compare(ours[name], theirs[name], join(path, name)));
  }
  return Object.is(ours, theirs) ? [] : [{ path, ours, theirs }];
}

function compareLists(
  ours: readonly unknown[],
  theirs: readonly unknown[],
  path: string,
): Difference[] {
  const found: Difference[] = [];
  if (ours.length !== theirs.length) {
    found.push({ path: `${path}.length`, ours: ours.length, theirs: theirs.length });
  }
  const shared = Math.min(ours.length, theirs.length);
  for (let index = 0; index < shared; index += 1) {
    found.push(...compare(ours[index], theirs[index], `${path}[${index}]`));
  }
  return found;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

export function show({ path, ours, theirs }: Difference): string {
  const text = (value: unknown): string =>
    (JSON.stringify(value) ?? 'absent').slice(0, MAX_SHOWN_CHARS);
  return `${path}: ours ${text(ours)}, theirs ${text(theirs)}`;
}

/**
 * Discovery documents and lists of columns: theirs reduced to the entries ours has, and both in one
 * order, because a real server has more kinds.
 */
export function shared(ours: unknown, theirs: unknown): unknown {
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    const byKey = new Map(theirs.map((item) => [keyOf(item), item]));
    return ours.map((item) => {
      const match = byKey.get(keyOf(item));
      return match === undefined ? 'absent' : shared(item, match);
    });
  }
  if (!isRecord(ours) || !isRecord(theirs)) return theirs;
  return Object.fromEntries(
    Object.entries(theirs).map(([name, value]) => [name, shared(ours[name], value)]),
  );
}

function keyOf(item: unknown): string {
  if (!isRecord(item)) return JSON.stringify(item);
  const metadata = isRecord(item['metadata']) ? item['metadata'] : {};
  return String(
    metadata['name'] ?? item['name'] ?? item['resource'] ?? item['groupVersion'] ?? item['version'],
  );
}
