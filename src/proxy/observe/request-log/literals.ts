// Constants of a Go template: strings with Go's escapes, characters, numbers. All text in a request
// log is a string of bytes (one char per byte, latin1), because that is what requests consist of;
// literals are turned into the bytes of their UTF-8 form here, once. Cold.

import { TemplateError } from './lexer.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** The UTF-8 bytes of `text`, one char each. */
export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Value of `"…"` or a raw string, as bytes. */
export function stringLiteral(token: string): string {
  const inner = token.slice(1, -1);
  if (token.startsWith('`')) return toBytes(inner.replaceAll('\r', ''));
  return unescapeGo(inner, token);
}

/** Code point of `'…'`. */
export function characterLiteral(token: string): number {
  const text = Buffer.from(unescapeGo(token.slice(1, -1), token), 'latin1').toString('utf8');
  const characters = [...text];
  if (characters.length !== 1) throw new TemplateError(`malformed character constant: ${token}`);
  return characters[0]!.codePointAt(0)!;
}

function unescapeGo(inner: string, token: string): string {
  const pattern =
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|(.))|[^\\]+/gs;
  return inner.replace(pattern, (all: string, ...groups: (string | undefined)[]) => {
    if (!all.startsWith('\\')) return toBytes(all);
    const [byte, short, long, octal, simple] = groups;
    if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    const point = short ?? long;
    if (point !== undefined) return toBytes(String.fromCodePoint(Number.parseInt(point, 16)));
    const known = ESCAPES[simple ?? ''];
    if (known === undefined) throw new TemplateError(`invalid escape in ${token}`);
    return known;
  });
}

export type NumberLiteral = { readonly kind: 'integer' | 'float'; readonly value: number };

/** Whole numbers without point or exponent are integers, as in Go. */
export function numberLiteral(token: string): NumberLiteral {
  const digits = token.replaceAll('_', '');
  const isFloat = !/^[+-]?0[xX]/.test(digits) && /[.eE]/.test(digits);
  const sign = digits.startsWith('-') ? -1 : 1;
  const bare = digits.replace(/^[+-]/, '').replace(/^0(\d+)$/, '0o$1');
  const value = sign * Number(bare);
  if (Number.isNaN(value)) throw new TemplateError(`bad number syntax: ${token}`);
  return { kind: isFloat ? 'float' : 'integer', value };
}
