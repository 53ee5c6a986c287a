// The static table of HPACK (RFC 7541 appendix A) and what a field name means to a receiver of
// requests (RFC 9113 section 8). Names are looked up only when a literal brings one; entries of
// either table keep what was found. Hot through its two arrays.

import { FIELD_VALUE, isOws, TOKEN } from '../characters.ts';

/** What a field is to the reader of a head. */
export const FieldKind = {
  REGULAR: 0,
  METHOD: 1,
  SCHEME: 2,
  PATH: 3,
  AUTHORITY: 4,
  HOST: 5,
  CONTENT_LENGTH: 6,
  EXPECT: 7,
  TE: 8,
  /** Makes any request malformed: bad characters, an unknown pseudo-field, a connection's own. */
  MALFORMED: 9,
} as const;
export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const UPPER_A = 65;
const UPPER_Z = 90;

const ENTRIES: readonly (readonly [name: string, value?: string])[] = [
  [':authority'],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset'],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language'],
  ['accept-ranges'],
  ['accept'],
  ['access-control-allow-origin'],
  ['age'],
  ['allow'],
  ['authorization'],
  ['cache-control'],
  ['content-disposition'],
  ['content-encoding'],
  ['content-language'],
  ['content-length'],
  ['content-location'],
  ['content-range'],
  ['content-type'],
  ['cookie'],
  ['date'],
  ['etag'],
  ['expect'],
  ['expires'],
  ['from'],
  ['host'],
  ['if-match'],
  ['if-modified-since'],
  ['if-none-match'],
  ['if-range'],
  ['if-unmodified-since'],
  ['last-modified'],
  ['link'],
  ['location'],
  ['max-forwards'],
  ['proxy-authenticate'],
  ['proxy-authorization'],
  ['range'],
  ['referer'],
  ['refresh'],
  ['retry-after'],
  ['server'],
  ['set-cookie'],
  ['strict-transport-security'],
  ['transfer-encoding'],
  ['user-agent'],
  ['vary'],
  ['via'],
  ['www-authenticate'],
];

/** Entries of the static table; indexes of the dynamic one begin behind it. */
export const STATIC_ENTRIES = ENTRIES.length;

/** By index; 0 is none. */
export const STATIC_NAMES: readonly string[] = ['', ...ENTRIES.map(([name]) => name)];
export const STATIC_VALUES: readonly string[] = ['', ...ENTRIES.map(([, value = '']) => value)];

const KINDS: ReadonlyMap<string, FieldKind> = new Map<string, FieldKind>([
  [':method', FieldKind.METHOD],
  [':scheme', FieldKind.SCHEME],
  [':path', FieldKind.PATH],
  [':authority', FieldKind.AUTHORITY],
  ['host', FieldKind.HOST],
  ['content-length', FieldKind.CONTENT_LENGTH],
  ['expect', FieldKind.EXPECT],
  ['te', FieldKind.TE],
  // RFC 9113 section 8.2.2.
  ['connection', FieldKind.MALFORMED],
  ['keep-alive', FieldKind.MALFORMED],
  ['proxy-connection', FieldKind.MALFORMED],
  ['transfer-encoding', FieldKind.MALFORMED],
  ['upgrade', FieldKind.MALFORMED],
]);

export const STATIC_KINDS: readonly FieldKind[] = STATIC_NAMES.map(kindOfName);

/** RFC 9113 section 8.2.1: a token without upper case, or a pseudo-field we know. */
export function kindOfName(name: string): FieldKind {
  const known = KINDS.get(name);
  if (known !== undefined) return known;
  if (name === '') return FieldKind.MALFORMED;
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    if (TOKEN[code] !== 1 || (code >= UPPER_A && code <= UPPER_Z)) return FieldKind.MALFORMED;
  }
  return FieldKind.REGULAR;
}

/** RFC 9113 section 8.2.1, and no control characters but tabs: HTTP/1 refuses them, too. */
export function isFieldValue(value: string): boolean {
  const { length } = value;
  if (length === 0) return true;
  if (isOws(value.charCodeAt(0)) || isOws(value.charCodeAt(length - 1))) return false;
  for (let at = 0; at < length; at += 1) {
    if (FIELD_VALUE[value.charCodeAt(at)] !== 1) return false;
  }
  return true;
}
