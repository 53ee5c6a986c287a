// Character classes of HTTP/1.1 (RFC 9110, 9112) as lookup tables, and the comparisons the codec
// needs. Text here is always latin1: one character is one byte.
// Hot: the name table is read once per header name character.

/** 1 for the characters of a token: methods, header names. */
const TOKEN = classOf(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);
/** 1 for what may stand in a Host value: registered names, addresses, ports. */
const HOST = classOf(/[!$%&'()*+,\-.:;=[\]_~0-9A-Za-z]/);
/** Everything a head may not hold at all; CR, LF and tab are judged by position. */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
/** What a request target may not hold: controls and space. */
const NOT_TARGET = /[\0-\x20\x7f]/;

export const CR = 13;
export const LF = 10;
export const COLON = 58;

function classOf(pattern: RegExp): Uint8Array {
  const table = new Uint8Array(256);
  for (let code = 0; code < 256; code += 1) {
    table[code] = pattern.test(String.fromCharCode(code)) ? 1 : 0;
  }
  return table;
}

/** First index at or after `from` that is not a token character, at most `end`. */
export function tokenEnd(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && TOKEN[text.charCodeAt(at)] === 1) at += 1;
  return at;
}

export function isToken(text: string): boolean {
  return text.length > 0 && tokenEnd(text, 0, text.length) === text.length;
}

export function isHostValue(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (HOST[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
}

/** True if a control byte other than CR, LF and tab occurs. */
export function hasForbidden(text: string): boolean {
  return FORBIDDEN.test(text);
}

export function isTarget(text: string): boolean {
  return text.length > 0 && !NOT_TARGET.test(text);
}

/** Whether `text` from `from` reads `lower` (letters, digits, `-`), ignoring case of letters. */
export function matchesFold(text: string, from: number, lower: string): boolean {
  for (let at = 0; at < lower.length; at += 1) {
    const code = text.charCodeAt(from + at);
    const wanted = lower.charCodeAt(at);
    if (code !== wanted && ((code | 0x20) !== wanted || wanted < 97)) return false;
  }
  return true;
}

export function equalsFold(text: string, lower: string): boolean {
  return text.length === lower.length && matchesFold(text, 0, lower);
}

/** Whether a comma-separated list holds `lower` as a whole element, ignoring case. */
export function listHas(list: string, lower: string): boolean {
  if (list.length === lower.length) return matchesFold(list, 0, lower);
  if (list.length < lower.length) return false;
  for (const element of list.split(',')) {
    if (equalsFold(trimOws(element), lower)) return true;
  }
  return false;
}

/** Removes spaces and tabs, nothing else, at both ends. */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text.charCodeAt(start))) start += 1;
  while (end > start && isOws(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

export function isOws(code: number): boolean {
  return code === 32 || code === 9;
}
