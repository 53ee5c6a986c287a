// Go's fmt.Sprintf for the values a log template knows: the verbs v d s q t c x X o b U e E f F g
// G, flags, width and precision. Mistakes print what Go prints (`%!d(string=x)`). Warm: runs per
// line only where a template says `printf`.

import {
  formatDouble,
  formatValue,
  GoFloat,
  GoMap,
  twoDigitExponent,
  type Value,
} from './values.ts';

const VERB = /%([-+# 0]*)(\d+)?(?:\.(\d*))?(.|$)/gsu;
/** Width and precision of one verb; a larger one is cut to it, Go refuses it. */
const MAX_PRINTED_WIDTH = 1_000;

interface Spec {
  readonly flags: string;
  readonly width: number;
  /** -1 = none given. */
  readonly precision: number;
  readonly verb: string;
}

export function sprintf(format: string, args: readonly Value[]): string {
  let used = 0;
  const text = format.replace(VERB, (_all, flags: string, width, precision, verb: string) => {
    if (verb === '%') return '%';
    if (verb === '') return '%!(NOVERB)';
    if (used >= args.length) return `%!${verb}(MISSING)`;
    const value = args[used]!;
    used += 1;
    const spec = {
      flags,
      width: Math.min(Number(width ?? 0), MAX_PRINTED_WIDTH),
      precision: precision === undefined ? -1 : Math.min(Number(precision), MAX_PRINTED_WIDTH),
      verb,
    };
    const shown = formatVerb(spec, value);
    return shown === null ? badVerb(verb, value) : pad(spec, shown, isNumeric(value));
  });
  if (used >= args.length) return text;
  const extra = args.slice(used).map((value) => `${typeName(value)}=${formatValue(value)}`);
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function formatVerb(spec: Spec, value: Value): string | null {
  if (spec.verb === 'v') return formatV(spec, value);
  if (spec.verb === 'T') return typeName(value);
  if (typeof value === 'string') return formatString(spec, value);
  if (typeof value === 'number') return formatInteger(spec, value);
  if (typeof value === 'boolean') return spec.verb === 't' ? String(value) : null;
  if (value instanceof GoFloat) return formatFloat(spec, value.value);
  return spec.verb === 's' && value !== null ? formatValue(value) : null;
}

function formatV(spec: Spec, value: Value): string | null {
  if (value instanceof GoFloat && spec.precision >= 0) {
    return formatFloat({ ...spec, verb: 'g' }, value.value);
  }
  if (typeof value === 'number') return formatInteger({ ...spec, verb: 'd' }, value);
  if (typeof value === 'string') return formatString({ ...spec, verb: 's' }, value);
  return signed(spec, formatValue(value), value instanceof GoFloat);
}

function formatString({ verb, precision, flags }: Spec, text: string): string | null {
  const cut = precision < 0 ? text : text.slice(0, precision);
  if (verb === 's') return cut;
  if (verb === 'q') return flags.includes('#') ? `\`${cut}\`` : quote(cut);
  if (verb !== 'x' && verb !== 'X') return null;
  const hex = Buffer.from(cut, 'latin1').toString('hex');
  return verb === 'x' ? hex : hex.toUpperCase();
}

function quote(text: string): string {
  const escaped = Buffer.from(JSON.stringify(Buffer.from(text, 'latin1').toString()), 'utf8');
  return escaped.toString('latin1').replace(/\\u00([\da-f]{2})/g, '\\x$1');
}

const BASES: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 };

function formatInteger(spec: Spec, value: number): string | null {
  if (spec.verb === 'c') return Buffer.from(String.fromCodePoint(value)).toString('latin1');
  if (spec.verb === 'q') {
    return Buffer.from(`'${String.fromCodePoint(value)}'`).toString('latin1');
  }
  if (spec.verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
  const base = BASES[spec.verb];
  if (base === undefined) return null;
  const digits = Math.abs(value).toString(base).padStart(Math.max(0, spec.precision), '0');
  const text = `${value < 0 ? '-' : ''}${spec.verb === 'X' ? digits.toUpperCase() : digits}`;
  return signed(spec, text, true);
}

function formatFloat(spec: Spec, value: number): string | null {
  const digits = spec.precision < 0 ? 6 : spec.precision;
  if (!Number.isFinite(value)) return signed(spec, formatDouble(value), true);
  switch (spec.verb) {
    case 'f':
    case 'F':
      return signed(spec, fixed(value, digits), true);
    case 'e':
      return signed(spec, twoDigitExponent(value.toExponential(Math.min(digits, 100))), true);
    case 'E':
      return formatFloat({ ...spec, verb: 'e' }, value)!.toUpperCase();
    case 'g':
      return signed(spec, shortest(value, spec.precision), true);
    case 'G':
      return formatFloat({ ...spec, verb: 'g' }, value)!.toUpperCase();
    default:
      return null;
  }
}

/** `toFixed` gives up at 1e21; Go does not. */
function fixed(value: number, digits: number): string {
  if (Math.abs(value) < 1e21) return value.toFixed(Math.min(digits, 100));
  return `${BigInt(value)}${digits > 0 ? `.${'0'.repeat(digits)}` : ''}`;
}

function shortest(value: number, precision: number): string {
  if (precision < 0) return formatDouble(value);
  const significant = Math.min(Math.max(precision, 1), 100);
  const exponent = value === 0 ? 0 : Number(value.toExponential(significant - 1).split('e')[1]);
  if (exponent < -4 || exponent >= significant) {
    const [mantissa, power] = value.toExponential(significant - 1).split('e');
    return twoDigitExponent(`${trimZeros(mantissa!)}e${power}`);
  }
  return trimZeros(value.toFixed(Math.min(Math.max(significant - 1 - exponent, 0), 100)));
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function signed({ flags }: Spec, text: string, isNumber: boolean): string {
  if (!isNumber || /^[-+]/.test(text)) return text;
  if (flags.includes('+')) return `+${text}`;
  return flags.includes(' ') ? ` ${text}` : text;
}

function pad({ flags, width }: Spec, text: string, isNumber: boolean): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || !isNumber) return text.padStart(width);
  const sign = /^[-+ ]/.test(text) ? text.charAt(0) : '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

function badVerb(verb: string, value: Value): string {
  if (value === null) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${formatValue(value)})`;
}

function isNumeric(value: Value): boolean {
  return typeof value === 'number' || value instanceof GoFloat;
}

function typeName(value: Value): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof GoFloat) return 'float64';
  if (value instanceof GoMap) return 'http.Header';
  return value === null ? '<nil>' : '[]string';
}
