// Reads one HTTP/1.x response head from an application. As strict as the request side: an answer
// whose end two parsers could place differently is refused (502), never relayed.
// One object per upstream connection, refilled for each head, interim ones included.
// Hot: once per request.

import { hasForbidden, isToken } from './characters.ts';
import {
  ConnectionOptions,
  declaredLength,
  LENGTH_ABSENT,
  LENGTH_CHUNKED,
  LENGTH_MALFORMED,
} from './framing.ts';
import { FieldKind, HeaderFields, ScanResult } from './header-fields.ts';

/** Where the body of a message ends. */
export const BodyMode = {
  NONE: 0,
  LENGTH: 1,
  CHUNKED: 2,
  /** At the end of the connection; answers only. */
  CLOSE: 3,
} as const;
export type BodyMode = (typeof BodyMode)[keyof typeof BodyMode];

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
  readonly fields = new HeaderFields();
  readonly #options = new ConnectionOptions();

  /** `text` is the whole head up to and including the empty line. False when it is malformed. */
  parse(text: string, requestMethod: string): boolean {
    this.text = text;
    const lineEnd = text.indexOf('\r\n');
    if (hasForbidden(text) || !this.#parseStatusLine(text, lineEnd)) return false;
    if (this.fields.scan(text, lineEnd + 2, text.length - 2) !== ScanResult.OK) return false;
    if (!this.#options.read(this.fields)) return false;
    const length = declaredLength(this.fields, false);
    if (length === LENGTH_MALFORMED) return false;
    if (length === LENGTH_CHUNKED && this.minorVersion === 0) return false;
    this.keepAlive = this.minorVersion === 1 && !this.#options.close;
    this.#frame(length, requestMethod);
    this.#readKeepAlive();
    this.upgrade = this.status === 101 ? this.fields.joined(FieldKind.UPGRADE) : '';
    return true;
  }

  /** Start of the reason phrase's separator: everything after the status code. */
  get afterStatus(): number {
    return 12;
  }

  #parseStatusLine(text: string, lineEnd: number): boolean {
    if (lineEnd < 12) return false;
    if (text.startsWith('HTTP/1.1 ')) this.minorVersion = 1;
    else if (text.startsWith('HTTP/1.0 ')) this.minorVersion = 0;
    else return false;
    let status = 0;
    for (let at = 9; at < 12; at += 1) {
      const digit = text.charCodeAt(at) - 48;
      if (digit < 0 || digit > 9) return false;
      status = status * 10 + digit;
    }
    this.status = status;
    if (status < 100) return false;
    if (lineEnd > 12 && text.charCodeAt(12) !== 32) return false;
    const bareLineFeed = text.indexOf('\n');
    const bareReturn = text.indexOf('\r');
    return bareLineFeed === lineEnd + 1 && bareReturn === lineEnd;
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
    const found = KEEP_ALIVE_TIMEOUT.exec(this.fields.valueAt(index));
    if (found !== null) this.keepAliveMs = Number(found[1]) * 1000;
  }
}

/** Whether trailer lines may pass on under this name: framing and routing never (RFC 9110 6.5.1). */
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
