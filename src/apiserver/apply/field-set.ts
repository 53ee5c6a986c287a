// Sets of field paths, in the very form they travel in (`fieldsV1`, KN-192): a tree whose keys are
// path elements (`f:name`, `k:{…}`, `v:…`) and whose `.` says that a node with children is itself a
// member; a node without children is one. So nothing is parsed when an object is written and
// nothing rendered when it is stored. Sets are never changed: operations share what stays the same,
// and give back the very same set when nothing changes. `null` is the empty set.
// Warm: runs per write, on what the write changed.

export interface FieldNode {
  readonly [element: string]: FieldNode;
}

export type FieldSet = FieldNode | null;

/** Both the mark of a member and a member without children. */
export const MEMBER: FieldNode = Object.freeze({});
const SELF = '.';
/** Nesting of a set a client may hand in. */
export const MAX_FIELD_DEPTH = 100;
const ELEMENT = /^(?:f:|k:\{|v:|i:\d)/;

export const fieldElement = (name: string): string => `f:${name}`;

export function isMember(node: FieldNode): boolean {
  for (const element in node) return SELF in node || element === SELF;
  return true;
}

/**
 * A node from its parts, which become its own; null when it would hold nothing. The mark of a
 * member comes first, then children by name.
 */
export function makeNode(member: boolean, children: (readonly [string, FieldNode])[]): FieldSet {
  if (children.length === 0) return member ? MEMBER : null;
  const node: Record<string, FieldNode> = member ? { [SELF]: MEMBER } : {};
  if (children.length > 1) children.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [element, child] of children) node[element] = child;
  return node as FieldNode;
}

export function childrenOf(node: FieldNode): [string, FieldNode][] {
  return Object.entries(node).filter(([element]) => element !== SELF);
}

export function child(node: FieldSet, element: string): FieldSet {
  return node !== null && Object.hasOwn(node, element) ? node[element]! : null;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === null || b === null) return a ?? b;
  return a === b ? a : unionNodes(a, b);
}

function unionNodes(a: FieldNode, b: FieldNode): FieldNode {
  const member = isMember(a) || isMember(b);
  let merged: Map<string, FieldNode> | null = null;
  for (const element in b) {
    if (element === SELF) continue;
    const mine = child(a, element);
    const both = mine === null ? b[element]! : unionNodes(mine, b[element]!);
    if (both === mine) continue;
    merged ??= new Map(childrenOf(a));
    merged.set(element, both);
  }
  if (merged === null && member === isMember(a)) return a;
  return makeNode(member, [...(merged ?? new Map(childrenOf(a)))])!;
}

/** Members of `a` that are no members of `b`. A member goes without its children, and they stay. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return a === null || b === null ? a : subtract(a, b, false);
}

/** As `difference`, but what is below a member of `b` goes with it. */
export function differenceDeep(a: FieldSet, b: FieldSet): FieldSet {
  return a === null || b === null ? a : subtract(a, b, true);
}

function subtract(a: FieldNode, b: FieldNode, isDeep: boolean): FieldSet {
  const drops = isMember(b);
  if (isDeep && drops) return null;
  const member = isMember(a) && !drops;
  let kept: Map<string, FieldNode> | null = null;
  for (const element in b) {
    const mine = element === SELF ? null : child(a, element);
    if (mine === null) continue;
    const left = subtract(mine, b[element]!, isDeep);
    if (left === mine) continue;
    kept ??= new Map(childrenOf(a));
    if (left === null) kept.delete(element);
    else kept.set(element, left);
  }
  if (kept === null && member === isMember(a)) return a;
  return makeNode(member, [...(kept ?? new Map(childrenOf(a)))]);
}

/** Members of both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === null || b === null) return null;
  if (a === b) return a;
  const children: [string, FieldNode][] = [];
  for (const element in b) {
    const both = element === SELF ? null : intersection(child(a, element), b[element]!);
    if (both !== null) children.push([element, both]);
  }
  return makeNode(isMember(a) && isMember(b), children);
}

/** Every member as the path Kubernetes prints, e.g. `.spec.containers[name="a"].image`. */
export function pathsOf(set: FieldSet): string[] {
  const paths: string[] = [];
  const visit = (node: FieldNode, path: string): void => {
    if (isMember(node) && path !== '') paths.push(path);
    for (const [element, below] of childrenOf(node)) visit(below, path + elementText(element));
  };
  if (set !== null) visit(set, '');
  return paths;
}

function elementText(element: string): string {
  const text = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${text}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(text) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${text}]`;
    default:
      return `[${text}]`;
  }
}

/** A set that came from a client: null when it is not one, or nested too deeply. */
export function checkedSet(value: unknown, depth = 0): FieldSet {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  if (depth > MAX_FIELD_DEPTH) return null;
  const children: [string, FieldNode][] = [];
  let member = false;
  for (const [element, below] of Object.entries(value)) {
    if (element === SELF) {
      member = true;
      continue;
    }
    if (!ELEMENT.test(element) || !isReadable(element)) return null;
    const node = checkedSet(below, depth + 1);
    if (node === null) return null;
    children.push([element, node]);
  }
  return makeNode(member || children.length === 0, children);
}

function isReadable(element: string): boolean {
  if (element.startsWith('f:') || element.startsWith('i:')) return true;
  try {
    JSON.parse(element.slice(2));
    return true;
  } catch {
    return false; // the caller says which entry is broken
  }
}
