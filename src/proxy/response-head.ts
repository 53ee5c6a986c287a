// Reads one HTTP/1.x response head from an application. As strict as the request side: an answer
// whose end two parsers could place differently is refused (502), never relayed.
// One object per upstream connection, refilled for each head, interim ones included.
// Hot: once per request.

import { valueEnd, wordsOf } from './byte-runs.ts';
import { CR, FIELD_VALUE, isToken, LF, SPACE } from './characters.ts';
import {
  ConnectionOptions,
  declaredLength,
  LENGTH_ABSENT,
  LENGTH_CHUNKED,
  LENGTH_MALFORMED,
} from './framing.ts';
import { FieldKind, HeaderFields, ScanResult } from './header-fields.ts';
import { LastHead } from './last-head.ts';
import { readLatin1 } from './latin1.ts';
import { WrittenHead } from './written-head.ts';

/** Where the body of a message ends. */
export const BodyMode = {
  NONE: 0,
  LENGTH: 1,
  CHUNKED: 2,
  /** At the end of the connection; answers only. */
  CLOSE: 3,
} as const;
export type BodyMode = (typeof BodyMode)[keyof typeof BodyMode];

export const ResponseVerdict = { OK: 0, INCOMPLETE: 1, MALFORMED: 2 } as const;
export type ResponseVerdict = (typeof ResponseVerdict)[keyof typeof ResponseVerdict];

const VERSION = 'HTTP/1.';
const MINOR_VERSION_AT = 7;
const STATUS_AT = 9;
const STATUS_END = 12;
const DIGIT_0 = 48;
const DIGIT_9 = 57;
/** Where in the status line the scan stands. */
const Place = { STATUS: 0, REASON: 1, LINE_FEED: 2, FIELDS: 3 };
const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,6})/i;

export class ResponseHead {
  text = '';
  minorVersion = 1;
  status = 0;
  bodyMode: BodyMode = BodyMode.NONE;
  /** Meaningful with BodyMode.LENGTH. */
  contentLength = 0;
  /** Whether the connection may carry another request once the body is over. */
  keepAlive = true;
  /** `Keep-Alive: timeout=…` in milliseconds, -1 when not announced. */
  keepAliveMs = -1;
  /** Value of Upgrade in a 101. */
  upgrade = '';
  /** Bytes of the status line with its CRLF. */
  lineLength = 0;
  readonly fields = new HeaderFields();
  /** What was written to a client for this head. */
  readonly written = new WrittenHead();
  readonly #last = new LastHead();
  /** Method of the request the last head answered. */
  #lastMethod = '';
  readonly #options = new ConnectionOptions();
  /** Offset at which reading the status line goes on. */
  #at = 0;
  #place = Place.STATUS;
  /** The last Keep-Alive value and what it said: applications repeat themselves. */
  #keepAliveText = '';
  #keepAliveTextMs = -1;

  /** Bytes of the whole head, once it was read. */
  get length(): number {
    return this.fields.at;
  }

  /** Starts over with the next head. */
  restart(): void {
    this.#at = 0;
    this.#place = Place.STATUS;
  }

  /** Reads the head that begins at `bytes[base]`; see RequestHead.read about INCOMPLETE. */
  read(bytes: Buffer, base: number, end: number, requestMethod: string): ResponseVerdict {
    if (this.#at === 0) {
      if (requestMethod === this.#lastMethod && this.#last.isAt(bytes, base, end)) {
        return ResponseVerdict.OK;
      }
      this.#last.forget();
      this.written.forget();
    }
    if (this.#place !== Place.FIELDS) {
      const verdict = this.#readStatusLine(bytes, base, end);
      if (verdict !== ResponseVerdict.OK) return verdict;
      this.fields.restart(this.#at);
    }
    const scanned = this.fields.scan(bytes, base, end);
    if (scanned === ScanResult.MORE) return ResponseVerdict.INCOMPLETE;
    if (scanned !== ScanResult.OK) return ResponseVerdict.MALFORMED;
    const text = readLatin1(bytes, base, base + this.fields.at);
    if (!this.#interpret(text, requestMethod)) return ResponseVerdict.MALFORMED;
    this.#last.remember(bytes, base, this.fields.at);
    this.#lastMethod = requestMethod;
    return ResponseVerdict.OK;
  }

  #interpret(text: string, requestMethod: string): boolean {
    this.text = text;
    this.fields.text = text;
    this.minorVersion = text.charCodeAt(MINOR_VERSION_AT) - DIGIT_0;
    this.status = statusIn(text);
    if (this.status < 100 || !this.#options.read(this.fields)) return false;
    const length = declaredLength(this.fields, false);
    if (length === LENGTH_MALFORMED) return false;
    if (length === LENGTH_CHUNKED && this.minorVersion === 0) return false;
    this.keepAlive = this.minorVersion === 1 && !this.#options.close;
    this.#frame(length, requestMethod);
    this.#readKeepAlive();
    // Without the option the line is no offer to this hop (RFC 9110 7.8).
    const switches = this.status === 101 && this.#options.upgrade;
    this.upgrade = switches ? this.fields.joined(FieldKind.UPGRADE) : '';
    return true;
  }

  #readStatusLine(bytes: Buffer, base: number, end: number): ResponseVerdict {
    if (this.#at === 0 && this.#takeWholeLine(bytes, base, end)) return ResponseVerdict.OK;
    let at = base + this.#at;
    for (; at < end; at += 1) {
      const byte = bytes[at]!;
      if (this.#place === Place.STATUS) {
        if (!this.#readStatusByte(byte, at - base)) return ResponseVerdict.MALFORMED;
      } else if (this.#place === Place.REASON) {
        if (FIELD_VALUE[byte] === 1) continue;
        if (byte !== CR) return ResponseVerdict.MALFORMED;
        this.#place = Place.LINE_FEED;
      } else {
        if (byte !== LF) return ResponseVerdict.MALFORMED;
        this.#place = Place.FIELDS;
        this.#at = at + 1 - base;
        this.lineLength = this.#at;
        return ResponseVerdict.OK;
      }
    }
    this.#at = at - base;
    return ResponseVerdict.INCOMPLETE;
  }

  /** The common case: a good status line, all of it here. False leaves everything to do. */
  #takeWholeLine(bytes: Buffer, base: number, end: number): boolean {
    if (end - base < STATUS_END + 2) return false;
    for (let index = 0; index < STATUS_END; index += 1) {
      if (!this.#readStatusByte(bytes[base + index]!, index)) return false;
    }
    const after = bytes[base + STATUS_END];
    if (after !== SPACE && after !== CR) return false;
    const lineEnd = valueEnd(bytes, wordsOf(bytes), base + STATUS_END, end);
    if (lineEnd + 1 >= end || bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) return false;
    this.#place = Place.FIELDS;
    this.#at = lineEnd + 2 - base;
    this.lineLength = this.#at;
    return true;
  }

  /** Byte `index` of `HTTP/1.x nnn` and what ends it. */
  #readStatusByte(byte: number, index: number): boolean {
    const isDigit = byte >= DIGIT_0 && byte <= DIGIT_9;
    if (index < MINOR_VERSION_AT) return byte === VERSION.charCodeAt(index);
    if (index === MINOR_VERSION_AT) return byte === DIGIT_0 || byte === DIGIT_0 + 1;
    if (index < STATUS_AT) return byte === SPACE;
    if (index < STATUS_END) return isDigit;
    this.#place = byte === CR ? Place.LINE_FEED : Place.REASON;
    return byte === CR || byte === SPACE;
  }

  #frame(length: number, requestMethod: string): void {
    this.contentLength = 0;
    const status = this.status;
    if (status < 200 || status === 204 || status === 304 || requestMethod === 'HEAD') {
      this.bodyMode = BodyMode.NONE;
      // A sender that announces a body here may send one: then the next answer would be misread.
      const mayAnnounce = requestMethod === 'HEAD' || status === 304;
      if (!mayAnnounce && length !== LENGTH_ABSENT && length !== 0) this.keepAlive = false;
      return;
    }
    if (length === LENGTH_CHUNKED) this.bodyMode = BodyMode.CHUNKED;
    else if (length === LENGTH_ABSENT) {
      this.bodyMode = BodyMode.CLOSE;
      this.keepAlive = false;
    } else {
      this.bodyMode = length === 0 ? BodyMode.NONE : BodyMode.LENGTH;
      this.contentLength = length;
    }
  }

  #readKeepAlive(): void {
    this.keepAliveMs = -1;
    const index = this.fields.indexOf(FieldKind.KEEP_ALIVE);
    if (index < 0) return;
    const text = this.fields.valueAt(index);
    if (text !== this.#keepAliveText) {
      const found = KEEP_ALIVE_TIMEOUT.exec(text);
      this.#keepAliveText = text;
      this.#keepAliveTextMs = found === null ? -1 : Number(found[1]) * 1000;
    }
    this.keepAliveMs = this.#keepAliveTextMs;
  }
}

/** Of a status line that was read. */
function statusIn(text: string): number {
  let status = 0;
  for (let at = STATUS_AT; at < STATUS_END; at += 1) {
    status = status * 10 + text.charCodeAt(at) - DIGIT_0;
  }
  return status;
}

/**
 * Whether trailer lines may pass on under this name: framing and routing never (RFC 9110 6.5.1).
 */
export function isTrailerAllowed(name: string): boolean {
  return isToken(name) && !FORBIDDEN_TRAILERS.has(name.toLowerCase());
}

const FORBIDDEN_TRAILERS = new Set([
  'transfer-encoding',
  'content-length',
  'host',
  'trailer',
  'te',
  'connection',
  'keep-alive',
  'upgrade',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'content-encoding',
  'content-type',
  'content-range',
  'set-cookie',
  'authorization',
  'cookie',
  'expect',
  'max-forwards',
]);
