// Character classes of HTTP/1.1 (RFC 9110, 9112) as lookup tables, and the comparisons the codec
// needs. Text here is always latin1: one character is one byte.
// Hot: the name table is read once per header name character.

/** 1 for the characters of a token: methods, header names. */
export const TOKEN = classOf(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);
/** 1 for what may stand in a Host value: registered names, addresses, ports. */
const HOST = classOf(/[!$%&'()*+,\-.:;=[\]_~0-9A-Za-z]/);
/** 1 for what may stand in a header value or reason phrase: no controls but tab. */
export const FIELD_VALUE = classOf(/[\t\x20-\x7e\x80-\xff]/);
/** 1 for what may stand in a request target: no controls, no space. */
export const TARGET = classOf(/[\x21-\x7e\x80-\xff]/);

export const CR = 13;
export const LF = 10;
export const COLON = 58;
export const SPACE = 32;

function classOf(pattern: RegExp): Uint8Array {
  const table = new Uint8Array(256);
  for (let code = 0; code < 256; code += 1) {
    table[code] = pattern.test(String.fromCharCode(code)) ? 1 : 0;
  }
  return table;
}

export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (TOKEN[text.charCodeAt(at)] !== 1) return false;
  }
  return text.length > 0;
}

export function isHostValue(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (HOST[text.charCodeAt(at)] !== 1) return false;
  }
  return true;
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

/** The same on bytes. */
export function bytesMatchFold(bytes: Uint8Array, from: number, lower: string): boolean {
  for (let at = 0; at < lower.length; at += 1) {
    const code = bytes[from + at]!;
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
