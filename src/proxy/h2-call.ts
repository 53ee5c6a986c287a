// One request to an application on an HTTP/2 connection, and its answer: turns the events of a
// node:http2 stream into the few things a caller has to know. Invariants: the caller hears either
// onCallEnd or onCallLost, once, unless it let go first (`cancel`); nothing is lost while paused.
// Hot: one per forwarded request; listeners are shared functions, no closures.

import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { END_STREAM, Http2Code } from './h2-codes.ts';
import { hasEnded, watchEnd } from './h2-end-watch.ts';
import { type Http2Fields, type RawFields, trailerFieldsFor } from './h2-fields.ts';
import { sendTrailers } from './h2-sending.ts';
import type { UpstreamCall, UpstreamCallOwner } from './upstream-link.ts';

/** The connection a call belongs to. */
export interface Http2CallHost {
  /** The stream is gone; its place is free. */
  onStreamClosed(): void;
}

const CALL = Symbol('call');
type OwnedStream = ClientHttp2Stream & { [CALL]: Http2Call };

export class Http2Call implements UpstreamCall {
  /** Whether the connection had carried a request before this one. */
  readonly isReused: boolean;
  /** No byte of an answer came so far. */
  isUntouched = true;
  /** Why the stream went, once it is gone. */
  resetCode: number = Http2Code.NO_ERROR;
  error: Error | null = null;
  #caller: UpstreamCallOwner | null;
  readonly #host: Http2CallHost;
  readonly #stream: ClientHttp2Stream;
  #trailers: RawFields | null = null;
  /** What the answer's head says of its body; '' when nothing. */
  #declaredLength = '';
  #receivedBytes = 0;
  /** Sent behind the request's body. */
  #requestTrailers: Http2Fields | null = null;

  constructor(
    host: Http2CallHost,
    stream: ClientHttp2Stream,
    caller: UpstreamCallOwner,
    isReused: boolean,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.#caller = caller;
    this.isReused = isReused;
    (stream as OwnedStream)[CALL] = this;
    watchEnd(stream);
    stream.on('response', onResponse);
    stream.on('headers', onInterim);
    stream.on('trailers', onTrailers);
    stream.on('drain', onDrain);
    stream.on('wantTrailers', onWantTrailers);
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  get streamId(): number {
    return this.#stream.id ?? 0;
  }

  /** False when the caller should pause until onCallDrain. */
  write(chunk: Buffer): boolean {
    return this.#stream.closed || this.#stream.write(chunk);
  }

  /** The request is complete. */
  end(trailers: RawFields | null): void {
    if (this.#stream.closed) return;
    if (trailers !== null) this.#requestTrailers = trailerFieldsFor(trailers);
    this.#stream.end();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (this.#stream.isPaused()) this.#stream.resume();
  }

  /** Lets go: the caller hears nothing more, the application gets RST_STREAM. */
  cancel(): void {
    if (this.#caller === null) return;
    this.#caller = null;
    this.#stream.close(Http2Code.CANCEL);
    this.#stream.resume();
  }

  onResponse(status: number, flags: number, raw: RawFields, length: string): void {
    this.isUntouched = false;
    this.#declaredLength = length;
    const isEnd = (flags & END_STREAM) !== 0;
    this.#caller?.onCallHead(this, status, raw, isEnd);
    if (this.#caller === null) return;
    // Without a body too: reading on to the end is what lets the stream close.
    this.#stream.on('data', onData);
    this.#stream.on('end', onEnd);
  }

  onInterim(status: number, raw: RawFields): void {
    this.isUntouched = false;
    this.#caller?.onCallInterim(this, status, raw);
  }

  onTrailers(raw: RawFields): void {
    this.#trailers = raw;
  }

  onWantTrailers(): void {
    const isSent = sendTrailers(this.#stream, this.#requestTrailers ?? {});
    if (!isSent) this.#stream.close(Http2Code.INTERNAL_ERROR);
  }

  onData(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    this.#caller?.onCallData(this, chunk);
  }

  onEnd(): void {
    const caller = this.#caller;
    if (caller === null || this.#stream.rstCode !== Http2Code.NO_ERROR) return;
    if (!hasEnded(this.#stream) && !this.#isWhole()) return;
    this.#caller = null;
    caller.onCallEnd(this, this.#trailers);
    // An answer that came before the request was complete: nobody reads the rest (RFC 9113 8.1).
    if (!this.#stream.writableEnded) this.#stream.close(Http2Code.CANCEL);
  }

  /**
   * All that was declared is here. It counts when a reset with NO_ERROR takes the place of
   * END_STREAM, as node:http2 does at the end of an answer that fills the window.
   */
  #isWhole(): boolean {
    return this.#declaredLength === String(this.#receivedBytes);
  }

  onDrain(): void {
    this.#caller?.onCallDrain(this);
  }

  onError(error: Error): void {
    this.error = error;
  }

  onClose(): void {
    const caller = this.#caller;
    this.#caller = null;
    this.resetCode = this.#stream.rstCode;
    this.#host.onStreamClosed();
    caller?.onCallLost(this);
  }
}

function onResponse(
  this: OwnedStream,
  headers: IncomingHttpHeaders,
  flags: number,
  raw: RawFields,
): void {
  const length = headers['content-length'] ?? '';
  this[CALL].onResponse(Number(headers[':status']), flags, raw, length);
}

function onInterim(
  this: OwnedStream,
  headers: IncomingHttpHeaders,
  _flags: number,
  raw: RawFields,
): void {
  if (headers[':status'] !== undefined) this[CALL].onInterim(Number(headers[':status']), raw);
}

function onTrailers(
  this: OwnedStream,
  _headers: IncomingHttpHeaders,
  _flags: number,
  raw: RawFields,
): void {
  this[CALL].onTrailers(raw);
}

function onData(this: OwnedStream, chunk: Buffer): void {
  this[CALL].onData(chunk);
}

function onEnd(this: OwnedStream): void {
  this[CALL].onEnd();
}

function onDrain(this: OwnedStream): void {
  this[CALL].onDrain();
}

function onWantTrailers(this: OwnedStream): void {
  this[CALL].onWantTrailers();
}

function onError(this: OwnedStream, error: Error): void {
  this[CALL].onError(error);
}

function onClose(this: OwnedStream): void {
  this[CALL].onClose();
}
