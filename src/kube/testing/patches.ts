// The two patch types the in-memory API of tests understands: JSON merge patch (RFC 7386) and the
// add, replace, remove and test operations of JSON patch (RFC 6902). Pure; results share no
// structure with what was patched.

/** RFC 7386. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return structuredClone(patch);
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(result[key], value);
  }
  return result;
}

/** Throws when a path or a `test` does not match. */
export function applyJsonPatch(
  target: unknown,
  operations: readonly { op: string; path: string; value?: unknown }[],
): unknown {
  const root = { '': structuredClone(target) } as Record<string, unknown>;
  for (const { op, path, value } of operations) applyOperation(root, op, path, value);
  return root[''];
}

function applyOperation(root: object, op: string, path: string, value: unknown): void {
  const tokens = path.split('/').map((token) => token.replace(/~1/g, '/').replace(/~0/g, '~'));
  const last = tokens.pop() ?? '';
  let parent = root as Record<string, unknown>;
  for (const token of tokens) {
    const next = parent[token];
    if (typeof next !== 'object' || next === null) throw new Error(`no such path: ${path}`);
    parent = next as Record<string, unknown>;
  }
  if (op === 'test') {
    if (JSON.stringify(parent[last]) !== JSON.stringify(value)) throw new Error(`test: ${path}`);
  } else if (Array.isArray(parent)) {
    applyToList(parent, op, last, value);
  } else if (op === 'remove') {
    delete parent[last];
  } else {
    parent[last] = structuredClone(value);
  }
}

function applyToList(list: unknown[], op: string, token: string, value: unknown): void {
  const index = token === '-' ? list.length : Number(token);
  if (op === 'add') list.splice(index, 0, structuredClone(value));
  else if (op === 'remove') list.splice(index, 1);
  else list[index] = structuredClone(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
