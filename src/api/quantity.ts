// Kubernetes quantities (`25m`, `400Mi`, `1.5G`, `2e3`): parsed to thousandths, which is the finest
// unit the product computes with, and printed in the shortest exact form. Pure.

const SUFFIX_FACTOR: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};
const SYNTAX = /^([-+]?(?:\d+\.?\d*|\.\d+))(?:[eE]([-+]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;
const QUANTITY_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Thousandths, rounded up as Kubernetes does. Throws an Error with its text on a syntax error. */
export function parseQuantity(text: string): number {
  const match = SYNTAX.exec(text);
  if (match === null) throw new Error(QUANTITY_ERROR);
  const [, digits = '', exponent, suffix = ''] = match;
  const factor = exponent === undefined ? SUFFIX_FACTOR[suffix]! : 10 ** Number(exponent);
  const milli = Number(digits) * factor * 1000;
  const nearest = Math.round(milli);
  return Math.abs(milli - nearest) < 1e-6 ? nearest : Math.ceil(milli);
}

export function isQuantity(text: string): boolean {
  return SYNTAX.test(text);
}

/** `25m`, `2`. */
export function formatCpuMilli(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}

/** The largest binary suffix that divides exactly; thousandths of a byte are rounded up. */
export function formatMemoryMilli(milli: number): string {
  let value = Math.ceil(milli / 1000);
  let suffix = '';
  for (const next of ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']) {
    if (value === 0 || value % 1024 !== 0) break;
    value /= 1024;
    suffix = next;
  }
  return value + suffix;
}
