// Reads what a role wants to know of a request's header fields on HTTP/2, and refuses what nghttp2
// lets through although a second parser might read it differently: more than one host, a target
// that would not survive on HTTP/1. Pure. Hot: once per request.

import type { IncomingHttpHeaders } from 'node:http2';
import { isHostValue, TARGET } from './characters.ts';
import { END_STREAM } from './h2-codes.ts';
import { countOf, type RawFields } from './h2-fields.ts';

export interface Http2RequestHead {
  readonly method: string;
  /** Origin form; authority form for CONNECT. */
  readonly target: string;
  readonly host: string;
  /** Declared length; 0 = no body, -1 = not declared. */
  readonly contentLength: number;
  readonly isComplete: boolean;
  readonly expectsContinue: boolean;
  readonly raw: RawFields;
}

const LENGTH = /^[0-9]{1,15}$/;
const SLASH = 47;

/** Null when the request is malformed (RFC 9113 section 8.1.1). */
export function readHttp2Head(
  headers: IncomingHttpHeaders,
  flags: number,
  raw: RawFields,
): Http2RequestHead | null {
  const method = headers[':method'];
  const host = hostOf(headers, raw);
  if (method === undefined || host === null) return null;
  const target = method === 'CONNECT' ? host : headers[':path'];
  if (target === undefined || !isTarget(method, target)) return null;
  const isComplete = (flags & END_STREAM) !== 0;
  const contentLength = isComplete ? 0 : lengthOf(headers['content-length']);
  if (Number.isNaN(contentLength)) return null;
  const expectsContinue = !isComplete && headers['expect']?.toLowerCase() === '100-continue';
  return { method, target, host, contentLength, isComplete, expectsContinue, raw };
}

/** RFC 9113 section 8.3.1; '' when the client named none, null when it named two. */
function hostOf(headers: IncomingHttpHeaders, raw: RawFields): string | null {
  const authority = headers[':authority'];
  const host = headers.host;
  if (host === undefined) return isHostValue(authority ?? '') ? (authority ?? '') : null;
  if (countOf(raw, 'host') > 1 || !isHostValue(host)) return null;
  if (authority !== undefined && authority.toLowerCase() !== host.toLowerCase()) return null;
  return authority ?? host;
}

function isTarget(method: string, target: string): boolean {
  if (method === 'CONNECT') return target !== '';
  if (target.charCodeAt(0) !== SLASH) return target === '*' && method === 'OPTIONS';
  for (let at = 1; at < target.length; at += 1) {
    if (TARGET[target.charCodeAt(at)] !== 1) return false;
  }
  return true;
}

function lengthOf(value: string | undefined): number {
  if (value === undefined) return -1;
  return LENGTH.test(value) ? Number(value) : Number.NaN;
}
