// How long a body is, decided from header fields alone. Requests and responses share the strict
// rules; anything two parsers could read differently is malformed rather than guessed at.

import { equalsFold, listHas } from './characters.ts';
import { FieldKind, type HeaderFields } from './header-fields.ts';

/** No length and no transfer coding declared. */
export const LENGTH_ABSENT = -2;
export const LENGTH_CHUNKED = -1;
export const LENGTH_MALFORMED = -3;

/** Digits of a Content-Length: 999 TB, exactly representable. */
const MAX_LENGTH_DIGITS = 15;
/** Elements of a Connection header; more is malformed. */
const MAX_CONNECTION_OPTIONS = 64;

/**
 * Body length in bytes, or one of the LENGTH_ codes. `strictCase`: the coding must be spelled
 * `chunked` to the letter, because intermediaries disagree about other spellings.
 */
export function declaredLength(fields: HeaderFields, strictCase: boolean): number {
  const transferEncoding = fields.indexOf(FieldKind.TRANSFER_ENCODING);
  const contentLength = fields.indexOf(FieldKind.CONTENT_LENGTH);
  if (transferEncoding < 0) {
    return contentLength < 0 ? LENGTH_ABSENT : contentLengthAt(fields, contentLength);
  }
  if (contentLength >= 0) return LENGTH_MALFORMED;
  if (fields.indexOf(FieldKind.TRANSFER_ENCODING, transferEncoding + 1) >= 0) {
    return LENGTH_MALFORMED;
  }
  const coding = fields.valueAt(transferEncoding);
  const isChunked = strictCase ? coding === 'chunked' : coding.toLowerCase() === 'chunked';
  // Some parsers keep trailing white space and then see an unknown coding.
  return isChunked && fields.endsTight(transferEncoding) ? LENGTH_CHUNKED : LENGTH_MALFORMED;
}

function contentLengthAt(fields: HeaderFields, index: number): number {
  if (fields.indexOf(FieldKind.CONTENT_LENGTH, index + 1) >= 0) return LENGTH_MALFORMED;
  const digits = fields.valueAt(index);
  if (digits.length === 0 || digits.length > MAX_LENGTH_DIGITS) return LENGTH_MALFORMED;
  if (!fields.endsTight(index)) return LENGTH_MALFORMED;
  let length = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return LENGTH_MALFORMED;
    length = length * 10 + digit;
  }
  return length;
}

/** What the Connection header of a message says; one object per connection, refilled. */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;

  /** Reads the options and marks the lines they name. False when there are too many. */
  read(fields: HeaderFields): boolean {
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    if (!fields.has(FieldKind.CONNECTION)) return true;
    const list = fields.joined(FieldKind.CONNECTION);
    if (equalsFold(list, 'keep-alive')) this.keepAlive = true;
    else if (equalsFold(list, 'close')) this.close = true;
    else return this.#readList(fields, list.toLowerCase());
    return true;
  }

  #readList(fields: HeaderFields, list: string): boolean {
    const options = list.split(',', MAX_CONNECTION_OPTIONS + 1);
    if (options.length > MAX_CONNECTION_OPTIONS) return false;
    for (const element of options) {
      const option = element.trim();
      if (option === 'close') this.close = true;
      else if (option === 'keep-alive') this.keepAlive = true;
      else if (option === 'upgrade') this.upgrade = true;
      else if (option !== '') markNamed(fields, option);
    }
    return true;
  }
}

/** Framing and Host belong to the message, not to the hop: naming them does not remove them. */
function markNamed(fields: HeaderFields, lower: string): void {
  for (let index = 0; index < fields.count; index += 1) {
    const kind = fields.kindAt(index);
    if (kind === FieldKind.HOST || kind === FieldKind.CONTENT_LENGTH) continue;
    if (kind === FieldKind.TRANSFER_ENCODING || kind === FieldKind.TE) continue;
    if (fields.isNamed(index, lower)) fields.mark(index, FieldKind.NAMED);
  }
}

/** Whether the TE header lets trailers through. */
export function acceptsTrailers(fields: HeaderFields): boolean {
  return fields.has(FieldKind.TE) && listHas(fields.joined(FieldKind.TE), 'trailers');
}
