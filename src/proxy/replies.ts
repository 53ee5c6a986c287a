// Answers the server gives itself: the heads of local replies, and the fixed texts for requests
// that never reach a role (QP-7).

import type { Clock } from '../clock/clock.ts';
import { RequestVerdict } from './request-head.ts';
import type { Wire } from './wire.ts';

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

export function reasonFor(status: number): string {
  return REASONS[status] ?? 'Status';
}

/** Status line, framing and Date of a local reply; `headers` and `extra` are whole lines. */
export function replyHead(
  minorVersion: number,
  status: number,
  headers: string,
  bodyBytes: number,
  date: string,
  closes: boolean,
  extra: string,
): string {
  const line = `HTTP/1.${minorVersion} ${status} ${reasonFor(status)}\r\n`;
  const length = hasNoBody(status) ? '' : `Content-Length: ${bodyBytes}\r\n`;
  const connection = closes ? 'Connection: close\r\n' : '';
  return `${line}${headers}${length}${date}${connection}${extra}\r\n`;
}

/** Writes a reply in one piece; text goes out as UTF-8. */
export function writeReply(wire: Wire, lead: string, body: string | Uint8Array): void {
  const isPlain = typeof body === 'string' && Buffer.byteLength(body) === body.length;
  if (isPlain) {
    wire.write(lead + body);
    return;
  }
  const bytes = Buffer.from(body);
  wire.writeAround(lead, bytes, 0, bytes.length, '');
}

export function hasNoBody(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

/** The whole answer to a request that is refused before any role sees it; the connection closes. */
export function rejectionFor(verdict: RequestVerdict): string {
  switch (verdict) {
    case RequestVerdict.MISSING_HOST:
      return rejection(400, '400 Bad Request: missing required Host header');
    case RequestVerdict.TOO_LARGE:
      return rejection(431, '431 Request Header Fields Too Large');
    case RequestVerdict.VERSION_UNSUPPORTED:
      return rejection(505, '505 HTTP Version Not Supported');
    default:
      return rejection(400, '400 Bad Request');
  }
}

function rejection(status: number, body: string): string {
  const type = 'Content-Type: text/plain; charset=utf-8\r\n';
  return replyHead(1, status, type, body.length, '', true, '') + body;
}

const MS_PER_SECOND = 1_000;

/** The Date line, made anew at most once a second. */
export class DateLine {
  readonly #clock: Clock;
  #second = -1;
  #line = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(): string {
    const second = Math.floor(this.#clock.nowMs() / MS_PER_SECOND);
    if (second !== this.#second) {
      this.#second = second;
      this.#line = `Date: ${new Date(second * MS_PER_SECOND).toUTCString()}\r\n`;
    }
    return this.#line;
  }
}
