// The functions a Go template can call (QP-129), on the values of values.ts. Wrong types and counts
// fail as they do in Go, by TEMPLATE_FAILURE. `and` and `or` are not here: they must not evaluate
// all their arguments, so the compiler knows them. Warm: the escapes run per line, the rest rarely.

import { escapeHtml, escapeJs, escapeQuery } from './escapes.ts';
import { sprintf } from './printf.ts';
import {
  formatValue,
  GoFloat,
  GoMap,
  isList,
  isTrue,
  TEMPLATE_FAILURE,
  type Value,
} from './values.ts';

export type TemplateFunction = (args: readonly Value[]) => Value;

/** Like fmt.Sprint: a space between operands of which neither is a string. */
export function print(args: readonly Value[]): string {
  let text = '';
  args.forEach((arg, index) => {
    const before = args[index - 1];
    const isSpaced = index > 0 && typeof arg !== 'string' && typeof before !== 'string';
    text += `${isSpaced ? ' ' : ''}${formatValue(arg)}`;
  });
  return text;
}

function only(args: readonly Value[]): Value {
  if (args.length !== 1) throw TEMPLATE_FAILURE;
  return args[0]!;
}

function pair(args: readonly Value[]): [Value, Value] {
  if (args.length !== 2) throw TEMPLATE_FAILURE;
  return [args[0]!, args[1]!];
}

function lengthOf(args: readonly Value[]): number {
  const value = only(args);
  if (typeof value === 'string' || isList(value)) return value.length;
  if (value instanceof GoMap) return value.entries.size;
  throw TEMPLATE_FAILURE;
}

function index(args: readonly Value[]): Value {
  if (args.length === 0) throw TEMPLATE_FAILURE;
  return args.slice(1).reduce<Value>(indexOne, args[0]!);
}

function indexOne(value: Value, key: Value): Value {
  if (value instanceof GoMap) {
    if (typeof key !== 'string') throw TEMPLATE_FAILURE;
    return value.entries.get(key) ?? [];
  }
  const isIndexable = typeof value === 'string' || isList(value);
  if (!isIndexable || typeof key !== 'number') throw TEMPLATE_FAILURE;
  if (key < 0 || key >= value.length) throw TEMPLATE_FAILURE;
  return typeof value === 'string' ? value.charCodeAt(key) : value[key]!;
}

function slice(args: readonly Value[]): Value {
  const [value, ...bounds] = args;
  if (value === undefined || bounds.length > 3) throw TEMPLATE_FAILURE;
  if (typeof value !== 'string' && !isList(value)) throw TEMPLATE_FAILURE;
  if (typeof value === 'string' && bounds.length === 3) throw TEMPLATE_FAILURE;
  const [from = 0, to = value.length, max = value.length] = bounds;
  if (typeof from !== 'number' || typeof to !== 'number' || typeof max !== 'number') {
    throw TEMPLATE_FAILURE;
  }
  if (from < 0 || from > to || to > max || max > value.length) throw TEMPLATE_FAILURE;
  return value.slice(from, to);
}

/** Both as something JavaScript compares; fails where Go finds the types incompatible. */
function comparable(a: Value, b: Value): [string | number | boolean, string | number | boolean] {
  if (a instanceof GoFloat && b instanceof GoFloat) return [a.value, b.value];
  if (typeof a !== typeof b || typeof a === 'object' || typeof b === 'object') {
    throw TEMPLATE_FAILURE;
  }
  return [a, b];
}

function equal(args: readonly Value[]): boolean {
  const [first, ...others] = args;
  if (first === undefined || others.length === 0) throw TEMPLATE_FAILURE;
  return others.some((other) => {
    if (first === null || other === null) return first === other;
    const [a, b] = comparable(first, other);
    return a === b;
  });
}

/** -1, 0 or 1 in effect; booleans have no order. */
function isLess(args: readonly Value[], orEqual: boolean): boolean {
  const [a, b] = comparable(...pair(args));
  if (typeof a === 'boolean') throw TEMPLATE_FAILURE;
  return a < b || (orEqual && a === b);
}

function isGreater(args: readonly Value[], orEqual: boolean): boolean {
  const [a, b] = pair(args);
  return isLess([b, a], orEqual);
}

function printFormatted(args: readonly Value[]): string {
  const [format, ...values] = args;
  if (typeof format !== 'string') throw TEMPLATE_FAILURE;
  return sprintf(format, values);
}

export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['js', (args) => escapeJs(print(args))],
  ['html', (args) => escapeHtml(print(args))],
  ['urlquery', (args) => escapeQuery(print(args))],
  ['print', print],
  ['println', (args) => `${args.map(formatValue).join(' ')}\n`],
  ['printf', printFormatted],
  ['len', lengthOf],
  ['index', index],
  ['slice', slice],
  ['not', (args) => !isTrue(only(args))],
  ['eq', equal],
  ['ne', (args) => !equal(pair(args))],
  ['lt', (args) => isLess(args, false)],
  ['le', (args) => isLess(args, true)],
  ['gt', (args) => isGreater(args, false)],
  ['ge', (args) => isGreater(args, true)],
]);

export const FUNCTION_NAMES: ReadonlySet<string> = new Set([...FUNCTIONS.keys(), 'and', 'or']);
