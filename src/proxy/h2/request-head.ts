// Collects the fields of a request (or of its trailers) as they are decoded, and says what a role
// wants to know of them. Refuses what is malformed (RFC 9113 section 8) and what a second parser
// might read differently: more than one host, a target that would not survive on HTTP/1. One per
// connection, used again for every block. Hot: once per field.

import { isHostValue, isToken, TARGET } from '../characters.ts';
import type { RawFields } from '../h2-fields.ts';
import { MAX_HEADER_LIST_BYTES, MAX_HEADER_LIST_PAIRS } from '../h2-limits.ts';
import { ENTRY_OVERHEAD, type FieldSink } from './hpack-decoder.ts';
import { FieldKind } from './static-table.ts';

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

export class FieldCollector implements FieldSink {
  /** name, value, name, value … */
  fields: string[] = [];
  /** More than MAX_HEADER_LIST_BYTES or MAX_HEADER_LIST_PAIRS; fields beyond are not kept. */
  isTooLarge = false;
  #isMalformed = false;
  #hasPseudo = false;
  #hasRegular = false;
  #bytes = 0;
  #method = '';
  #scheme = '';
  /** Null when absent; these may be empty, which is an error, or not. */
  #path: string | null = null;
  #authority: string | null = null;
  #host: string | null = null;
  #contentLength = -1;
  #expectsContinue = false;

  /** A new block begins. */
  restart(): void {
    this.fields = [];
    this.isTooLarge = false;
    this.#isMalformed = false;
    this.#hasPseudo = false;
    this.#hasRegular = false;
    this.#bytes = 0;
    this.#method = '';
    this.#scheme = '';
    this.#path = null;
    this.#authority = null;
    this.#host = null;
    this.#contentLength = -1;
    this.#expectsContinue = false;
  }

  onField(name: string, value: string, kind: FieldKind): void {
    this.#bytes += name.length + value.length + ENTRY_OVERHEAD;
    const { fields } = this;
    if (this.#bytes > MAX_HEADER_LIST_BYTES || fields.length >= 2 * MAX_HEADER_LIST_PAIRS) {
      this.isTooLarge = true;
      return;
    }
    fields.push(name, value);
    if (kind >= FieldKind.METHOD && kind <= FieldKind.AUTHORITY) this.#onPseudo(value, kind);
    else {
      this.#hasRegular = true;
      if (kind !== FieldKind.REGULAR) this.#onSpecial(value, kind);
    }
  }

  /** Null when the request is malformed (RFC 9113 section 8.1.1). */
  requestHead(isComplete: boolean): Http2RequestHead | null {
    const host = this.#judgeHost();
    if (this.#isMalformed || host === null || !isToken(this.#method)) return null;
    const isConnect = this.#method === 'CONNECT';
    const target = isConnect ? host : this.#path;
    if (isConnect ? this.#scheme !== '' || this.#path !== null : this.#scheme === '') return null;
    if (target === null || !isTarget(this.#method, target)) return null;
    if (isComplete && this.#contentLength > 0) return null;
    return {
      method: this.#method,
      target,
      host,
      contentLength: isComplete ? 0 : this.#contentLength,
      isComplete,
      expectsContinue: !isComplete && this.#expectsContinue,
      raw: this.fields,
    };
  }

  /** Null when the trailers are malformed. */
  trailers(): RawFields | null {
    return this.#isMalformed || this.#hasPseudo ? null : this.fields;
  }

  /** Before all regular fields, each once (RFC 9113 section 8.3). */
  #onPseudo(value: string, kind: FieldKind): void {
    this.#hasPseudo = true;
    if (this.#hasRegular) this.#isMalformed = true;
    switch (kind) {
      case FieldKind.METHOD:
        if (this.#method !== '') this.#isMalformed = true;
        this.#method = value;
        return;
      case FieldKind.SCHEME:
        if (this.#scheme !== '') this.#isMalformed = true;
        this.#scheme = value;
        return;
      case FieldKind.PATH:
        if (this.#path !== null) this.#isMalformed = true;
        this.#path = value;
        return;
      default:
        if (this.#authority !== null) this.#isMalformed = true;
        this.#authority = value;
    }
  }

  #onSpecial(value: string, kind: FieldKind): void {
    switch (kind) {
      case FieldKind.HOST:
        if (this.#host !== null) this.#isMalformed = true;
        this.#host = value;
        return;
      case FieldKind.CONTENT_LENGTH:
        if (this.#contentLength >= 0 || !LENGTH.test(value)) this.#isMalformed = true;
        else this.#contentLength = Number(value);
        return;
      case FieldKind.EXPECT:
        this.#expectsContinue = value.toLowerCase() === '100-continue';
        return;
      case FieldKind.TE:
        if (value.toLowerCase() !== 'trailers') this.#isMalformed = true;
        return;
      default:
        this.#isMalformed = true;
    }
  }

  /** RFC 9113 section 8.3.1; '' when the client named none, null when it named two. */
  #judgeHost(): string | null {
    const authority = this.#authority;
    const host = this.#host;
    if (host === null) return isHostValue(authority ?? '') ? (authority ?? '') : null;
    if (!isHostValue(host)) return null;
    if (authority !== null && authority.toLowerCase() !== host.toLowerCase()) return null;
    return authority ?? host;
  }
}

function isTarget(method: string, target: string): boolean {
  if (method === 'CONNECT') return target !== '';
  if (target.charCodeAt(0) !== SLASH) return target === '*' && method === 'OPTIONS';
  for (let at = 1; at < target.length; at += 1) {
    if (TARGET[target.charCodeAt(at)] !== 1) return false;
  }
  return true;
}
