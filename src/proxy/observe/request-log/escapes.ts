// Escaping functions of Go templates on strings of bytes (QP-130): `js`, `html`, `urlquery`. Each
// looks first whether there is anything to escape, because nearly always there is not.
// Hot: `js` runs four times per line of the default template.

import { toBytes } from './literals.ts';

/** Bytes that `js` may have to change: its specials, controls, everything that is not ASCII. */
const JS_SPECIAL = /[\\'"<>&=\x00-\x1f\x80-\xff]/;
const JS_PARTS = /[\\'"<>&=\x00-\x1f]|[\x80-\xff]+/g;
const JS_NAMED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
};
const PRINTABLE = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u;

/** Go's JSEscapeString; an apostrophe becomes `\'`, which JSON does not know (Q-11). */
export function escapeJs(text: string): string {
  return JS_SPECIAL.test(text) ? text.replace(JS_PARTS, escapeJsPart) : text;
}

/** The same with `\u0027` for an apostrophe: what the default template, which is JSON, gets. */
export function escapeJsonSafe(text: string): string {
  if (!JS_SPECIAL.test(text)) return text;
  return text.replace(JS_PARTS, (part) => (part === "'" ? '\\u0027' : escapeJsPart(part)));
}

function escapeJsPart(part: string): string {
  const named = JS_NAMED[part];
  if (named !== undefined) return named;
  const code = part.charCodeAt(0);
  return code < 0x80 ? `\\u00${hex(code, 2)}` : escapeRunes(part);
}

/** Characters nobody can see are named; the rest, invalid UTF-8 included, stays as it is. */
function escapeRunes(part: string): string {
  const text = Buffer.from(part, 'latin1').toString('utf8');
  if (text.includes('\ufffd')) return part;
  let escaped = '';
  for (const character of text) {
    const point = character.codePointAt(0)!;
    escaped += PRINTABLE.test(character) ? toBytes(character) : `\\u${hex(point, 4)}`;
  }
  return escaped;
}

const HTML_NAMED: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&#34;',
  "'": '&#39;',
  '\0': toBytes('\ufffd'),
};

export function escapeHtml(text: string): string {
  return text.replace(/[<>&"'\0]/g, (character) => HTML_NAMED[character]!);
}

/** Go's url.QueryEscape. */
export function escapeQuery(text: string): string {
  return text.replace(/[^A-Za-z0-9\-_.~]/g, (character) =>
    character === ' ' ? '+' : `%${hex(character.charCodeAt(0), 2)}`,
  );
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0');
}
