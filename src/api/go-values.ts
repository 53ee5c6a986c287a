// Numbers and booleans in Go's syntax, as Knative's config maps and annotations are read (AS
// "Reading conventions"): `5.`, `.5`, `1e3` and `+5` are floats, blanks are errors, an integer has
// no base prefix. NaN and infinities are refused, unlike the reference (AS-31): no setting means
// anything with them. Every failure carries Go's text, because users see it. Pure.

const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^[+-]?\d+$/;
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export const MAX_INT32 = 2_147_483_647;
export const MIN_INT32 = -2_147_483_648;

/** Undefined when `text` is no finite Go float. */
export function tryParseFloat(text: string): number | undefined {
  if (!FLOAT.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Undefined when `text` is no integer, or one beyond 53 bits. */
export function tryParseInteger(text: string): number | undefined {
  if (!INTEGER.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

/** Undefined when `text` is no integer, or one that 32 bits cannot hold (AS-16). */
export function tryParseInt32(text: string): number | undefined {
  const value = tryParseInteger(text);
  return value !== undefined && value >= MIN_INT32 && value <= MAX_INT32 ? value : undefined;
}

/** Throws an Error with Go's text. */
export function parseFloatStrictly(text: string): number {
  const value = tryParseFloat(text);
  if (value !== undefined) return value;
  throw failure('ParseFloat', text, FLOAT.test(text) ? 'value out of range' : 'invalid syntax');
}

/** Throws an Error with Go's text. */
export function parseInt32Strictly(text: string): number {
  const value = tryParseInt32(text);
  if (value !== undefined) return value;
  throw failure('ParseInt', text, INTEGER.test(text) ? 'value out of range' : 'invalid syntax');
}

/** Throws an Error with Go's text. */
export function parseBooleanStrictly(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw failure('ParseBool', text, 'invalid syntax');
}

/** Go's `%v` of a float64: shortest digits, exponent form below 1e-4 and from 1e21 on. */
export function formatFloat(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const sign = exponent.startsWith('-') ? '-' : '+';
  return `${digits}e${sign}${exponent.slice(1).padStart(2, '0')}`;
}

function failure(parser: string, text: string, cause: string): Error {
  return new Error(`strconv.${parser}: parsing ${JSON.stringify(text)}: ${cause}`);
}
