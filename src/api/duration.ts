// Durations in Go syntax (`1h5m`, `300ms`), as Knative's annotations and config maps write them.
// Held as numbers: nanoseconds where precision is checked, milliseconds everywhere else. Numbers
// are exact up to 2^53 ns (104 days), far beyond every limit in use. Pure.

const NS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const MAX_DURATION_NS = 2 ** 63;

export const NS_PER_SECOND = 1e9;
export const NS_PER_MS = 1e6;

/** Nanoseconds. Throws an Error with Go's text on a syntax error. */
export function parseDurationNs(text: string): number {
  const quoted = JSON.stringify(text);
  const invalid = (): Error => new Error(`time: invalid duration ${quoted}`);
  const sign = text.startsWith('-') ? -1 : 1;
  let rest = /^[-+]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0;
  if (rest === '') throw invalid();
  let totalNs = 0;
  while (rest !== '') {
    const match = /^(\d*)(?:\.(\d*))?([^\d.]*)/.exec(rest);
    const [all = '', whole = '', fraction = '', unit = ''] = match ?? [];
    if (whole === '' && fraction === '') throw invalid();
    if (unit === '') throw new Error(`time: missing unit in duration ${quoted}`);
    const unitNs = NS_PER_UNIT[unit];
    if (unitNs === undefined) {
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    }
    totalNs += Number(whole) * unitNs + Math.trunc(Number(`0.${fraction || '0'}`) * unitNs);
    if (totalNs > MAX_DURATION_NS) throw invalid();
    rest = rest.slice(all.length);
  }
  return totalNs === 0 ? 0 : sign * totalNs;
}

/** Milliseconds, with fraction. Throws like `parseDurationNs`. */
export function parseDurationMs(text: string): number {
  return parseDurationNs(text) / NS_PER_MS;
}

/** Milliseconds, or undefined when the text is no duration. */
export function tryParseDurationMs(text: string): number | undefined {
  try {
    return parseDurationMs(text);
  } catch {
    return undefined; // The only failure is the syntax error, which the caller asked not to see.
  }
}

/** Go's `Duration.String()`: `1h0m0s`, `1.5s`, `300ms`, `0s`. */
export function formatDurationNs(ns: number): string {
  if (ns === 0) return '0s';
  const sign = ns < 0 ? '-' : '';
  const size = Math.abs(ns);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${trimmed(size, 1e3, 3)}µs`;
  if (size < 1e9) return `${sign}${trimmed(size, 1e6, 6)}ms`;
  const hours = Math.floor(size / NS_PER_UNIT.h!);
  const minutes = Math.floor((size % NS_PER_UNIT.h!) / NS_PER_UNIT.m!);
  const seconds = `${trimmed(size % NS_PER_UNIT.m!, NS_PER_SECOND, 9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : sign + seconds;
}

export function formatDurationMs(ms: number): string {
  return formatDurationNs(Math.round(ms * NS_PER_MS));
}

function trimmed(size: number, unit: number, digits: number): string {
  const whole = Math.floor(size / unit);
  const rest = String(size % unit)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  return rest === '' ? String(whole) : `${whole}.${rest}`;
}
