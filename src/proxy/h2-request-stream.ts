// The events of a client's HTTP/2 stream, handed to the exchange that owns it. Listeners are shared
// functions that find their owner on the stream, so a request costs no closures. A body is not read
// before `startBody`: until then at most one stream window of it waits in this process.
// Hot: once per request and once per chunk.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { hasEnded, watchEnd } from './h2-end-watch.ts';
import type { RawFields } from './h2-fields.ts';

export interface RequestStreamOwner {
  onRequestData(chunk: Buffer): void;
  onRequestTrailers(raw: RawFields): void;
  /** The client ended the body itself. */
  onRequestEnd(): void;
  /** Writes may go on after congestion. */
  onClientDrain(): void;
  onWantTrailers(): void;
  /** The stream is closed, whoever closed it. */
  onClientGone(): void;
}

const OWNER = Symbol('owner');
type OwnedStream = ServerHttp2Stream & { [OWNER]: RequestStreamOwner };

/** `isComplete`: the request has no body. */
export function watchRequest(
  stream: ServerHttp2Stream,
  owner: RequestStreamOwner,
  isComplete: boolean,
): void {
  (stream as OwnedStream)[OWNER] = owner;
  stream.on('drain', onDrain);
  stream.on('wantTrailers', onWantTrailers);
  stream.on('error', ignoreError);
  stream.on('close', onClose);
  if (isComplete) return;
  watchEnd(stream);
  stream.on('trailers', onTrailers);
}

export function startBody(stream: ServerHttp2Stream): void {
  // A body that turned out empty ended by itself, read or not.
  if (stream.readableEnded) process.nextTick(endLater, stream);
  stream.on('end', onEnd);
  stream.on('data', onData);
}

function onData(this: OwnedStream, chunk: Buffer): void {
  this[OWNER].onRequestData(chunk);
}

function onTrailers(
  this: OwnedStream,
  _headers: IncomingHttpHeaders,
  _flags: number,
  raw: RawFields,
): void {
  this[OWNER].onRequestTrailers(raw);
}

/** An end that is none, because the client reset the stream, shows as `close`. */
function onEnd(this: OwnedStream): void {
  if (hasEnded(this)) this[OWNER].onRequestEnd();
}

function endLater(stream: OwnedStream): void {
  onEnd.call(stream);
}

function onDrain(this: OwnedStream): void {
  this[OWNER].onClientDrain();
}

function onWantTrailers(this: OwnedStream): void {
  this[OWNER].onWantTrailers();
}

/** `close` follows and says all there is to know. */
function ignoreError(): void {
  // Nothing: see above.
}

function onClose(this: OwnedStream): void {
  this[OWNER].onClientGone();
}
