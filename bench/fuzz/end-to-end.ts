// Which header lines of a message must arrive at the other end: all but the hop-by-hop ones and those
// a Connection header names (RFC 9110 7.6.1). Reckoned from llhttp's list, apart from the codec.

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Framing and Host belong to the message: naming them does not remove them. */
const NOT_REMOVABLE = new Set(['content-length', 'host']);

/** `name: value` of each line that must pass, in order, names in lower case. */
export function endToEnd(headers: readonly string[], isDropped = HOST_ONLY): string[] {
  const named = new Set<string>();
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() !== 'connection') continue;
    for (const option of headers[at + 1]!.split(',')) named.add(trimmed(option));
  }
  const lines: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || isDropped(name)) continue;
    if (named.has(name) && !NOT_REMOVABLE.has(name)) continue;
    lines.push(`${name}: ${headers[at + 1]!}`);
  }
  return lines;
}

/** Host is compared by itself: an absolute target replaces it. */
const HOST_ONLY = (name: string): boolean => name === 'host';

/** Blanks as HTTP knows them; what `String.trim` takes away besides is content. */
function trimmed(option: string): string {
  return option.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase();
}

const FORBIDDEN_IN_TRAILERS = new Set([
  ...HOP_BY_HOP,
  'content-length',
  'host',
  'content-encoding',
  'content-type',
  'content-range',
  'set-cookie',
  'authorization',
  'cookie',
  'expect',
  'max-forwards',
]);

/** Trailer lines that may pass (RFC 9110 6.5.1). */
export function passingTrailers(trailers: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < trailers.length; at += 2) {
    const name = trailers[at]!.toLowerCase();
    if (!FORBIDDEN_IN_TRAILERS.has(name)) lines.push(`${name}: ${trailers[at + 1]!}`);
  }
  return lines;
}

/** First value of a header, '' when absent. */
export function headerOf(headers: readonly string[], lower: string): string {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.toLowerCase() === lower) return headers[at + 1]!;
  }
  return '';
}

/**
 * A field no RFC knows, which llhttp obeys as if it were Connection. A proxy must not (RFC 9112
 * C.2.2), so connections that only this would close stay open.
 */
export function saysProxyClose({ headers }: { headers: readonly string[] }): boolean {
  return headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'proxy-connection');
}
