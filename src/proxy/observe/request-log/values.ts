// The values a request log template works on while it executes, and how Go prints them. Integers
// are numbers, doubles are wrapped: Go treats the two as different types (QP-131), JavaScript does
// not. Strings hold one byte per char. Hot only where `formatDouble` prints a latency.

/** A double, as distinct from an integer. */
export class GoFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A struct: members by name, `undefined` where Go has no such field or method. */
export interface GoRecord {
  member(name: string, args: readonly Value[]): Value | undefined;
  /** What printing it gives; null where that would be a dump of internals. */
  text(): string | null;
}

/** A map from strings to lists of strings, such as request headers. */
export class GoMap {
  readonly entries: ReadonlyMap<string, readonly string[]>;

  constructor(entries: ReadonlyMap<string, readonly string[]>) {
    this.entries = entries;
  }

  get sortedKeys(): string[] {
    return [...this.entries.keys()].sort();
  }
}

export type Value =
  | null
  | boolean
  | string
  | number
  | GoFloat
  | readonly Value[]
  | GoMap
  | GoRecord;

/**
 * Thrown while a template executes, always this one object: what the client of a log needs is the
 * line of QP-132, and failing for every request must not cost a stack trace for every request.
 */
export const TEMPLATE_FAILURE = new Error('the request log template failed');

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isRecord(value: Value): value is GoRecord {
  return typeof value === 'object' && value !== null && 'member' in value;
}

/**
 * Go's `%v` of a float64: shortest digits, exponent of two digits below 1e-4 and from 1e21 bits on.
 */
export function formatDouble(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(value);
  if (size === 0) return Object.is(value, -0) ? '-0' : '0';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  return twoDigitExponent(value.toExponential());
}

/** `1e+5` -> `1e+05`. */
export function twoDigitExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

/** How `print` and `%v` show a value. */
export function formatValue(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === null) return '<nil>';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof GoFloat) return formatDouble(value.value);
  if (value instanceof GoMap) {
    const pairs = value.sortedKeys.map((key) => `${key}:${formatList(value.entries.get(key)!)}`);
    return `map[${pairs.join(' ')}]`;
  }
  if (isList(value)) return formatList(value);
  const text = value.text();
  if (text === null) throw TEMPLATE_FAILURE;
  return text;
}

function formatList(list: readonly Value[]): string {
  return `[${list.map(formatValue).join(' ')}]`;
}

/** Go's idea of truth: everything but the zero value of its type. */
export function isTrue(value: Value): boolean {
  if (value instanceof GoFloat) return value.value !== 0;
  if (value instanceof GoMap) return value.entries.size > 0;
  if (isList(value)) return value.length > 0;
  if (value === null || typeof value === 'object') return value !== null;
  return value !== 0 && value !== '' && value !== false;
}
