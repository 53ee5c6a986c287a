// One HTTP/2 connection to an application (prior knowledge, or TLS; no pings). Counts the streams
// it carries, so that its pool opens another where the application allows no more (QP-62). It is
// usable once the application's SETTINGS came: before that its stream limit is unknown, and an
// application that speaks HTTP/1 only never sends them. Not hot except `open` and `onStreamClosed`.

import type { ClientHttp2Session, ClientSessionRequestOptions } from 'node:http2';
import type { Socket } from 'node:net';
import { type Http2Call as Call, Http2Call, type Http2CallHost } from './h2-call.ts';
import { Http2Code, http2CodeName } from './h2-codes.ts';
import type { Http2Fields } from './h2-fields.ts';
import type { Http2Module } from './h2-module.ts';
import { MAX_SENT_HEADER_BYTES, sendRequest } from './h2-sending.ts';
import { FailureCode } from './types.ts';
import { describeSocketError } from './upstream-errors.ts';
import type { CallUpstream, UpstreamCallOwner } from './upstream-link.ts';
import type { UpstreamTls } from './upstream-tls.ts';

/**
 * Streams begun on one connection to an application before it is left for a fresh one, far below
 * the 2^30 ids there are.
 */
export const MAX_STREAMS_PER_UPSTREAM = 1 << 28;
/** Streams open at once on one connection, however many the application allows. */
export const MAX_OPEN_STREAMS_PER_UPSTREAM = 1000;
/** Bytes of an answer an application may send ahead of a slow client, per stream. */
const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 16 << 20;
/** One frame of an application's; above it node:http2 ends the connection. */
const MAX_FRAME_BYTES = 256 << 10;
/** Header block of an answer; above it node:http2 resets the stream. */
const MAX_HEADER_BYTES = 1 << 20;
/** Fields of an answer; above it node:http2 resets the stream. */
const MAX_HEADER_PAIRS = 2000;
/** Megabytes node:http2 may hold per connection. */
const MAX_SESSION_MEMORY_MB = 64;

/** Sweeps of the pool without a request after which a connection closes. */
const IDLE_SWEEPS = 4;

const WITHOUT_BODY: ClientSessionRequestOptions = { endStream: true };
const WITH_BODY: ClientSessionRequestOptions = { endStream: false, waitForTrailers: true };

const NOT_HTTP2 =
  'http2: failed reading the frame payload: http2: frame too large, note that the frame header ' +
  'looked like an HTTP/1.1 header';

export interface Http2UpstreamOwner {
  readonly host: string;
  readonly port: number;
  /** Null = plain TCP. */
  readonly tls: UpstreamTls | null;
  /** The application's SETTINGS came. */
  onReady(upstream: Http2Upstream): void;
  /** A stream ended; `upstream` may take another. */
  onRoom(upstream: Http2Upstream): void;
  /** Takes no more requests, though some may still run. */
  onLeaving(upstream: Http2Upstream): void;
  onGone(upstream: Http2Upstream): void;
}

export class Http2Upstream implements CallUpstream, Http2CallHost {
  readonly #owner: Http2UpstreamOwner;
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #isSecure: boolean;
  #open = 0;
  #begun = 0;
  #limit = 0;
  #isLeaving = false;
  #error: NodeJS.ErrnoException | null = null;
  /** What the last GOAWAY said, -1 before one. */
  #goawayCode = -1;
  #goawayLastId = -1;
  /** Sweeps since a request was sent. */
  #idleSweeps = 0;

  constructor(owner: Http2UpstreamOwner, http2: Http2Module, socket: Socket, authority: string) {
    this.#owner = owner;
    this.#socket = socket;
    this.#isSecure = owner.tls !== null;
    const session = http2.connect(`http://${authority}`, {
      createConnection: () => socket,
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      maxSendHeaderBlockLength: MAX_SENT_HEADER_BYTES,
      maxReservedRemoteStreams: 0,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxFrameSize: MAX_FRAME_BYTES,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
    });
    this.#session = session;
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    });
    session.on('remoteSettings', (settings) => this.#onSettings(settings.maxConcurrentStreams));
    session.on('goaway', (code, lastId) => this.#onGoaway(code, lastId));
    session.on('error', (error) => {
      this.#error = error;
    });
    session.on('close', () => this.#onClose());
  }

  /** Requests it could take now. */
  get room(): number {
    // A session that was destroyed does not call itself closed.
    const { closed, destroyed } = this.#session;
    return this.#isLeaving || closed || destroyed ? 0 : Math.max(0, this.#limit - this.#open);
  }

  get isIdle(): boolean {
    return this.#open === 0;
  }

  /** Asked at every sweep; true once nothing was sent for IDLE_SWEEPS of them. */
  get isStale(): boolean {
    this.#idleSweeps += 1;
    return this.#open === 0 && this.#idleSweeps > IDLE_SWEEPS;
  }

  /**
   * Sends a request head. Null when the connection turned out unusable: try another; false when
   * node:http2 does not send such a head on any.
   */
  open(fields: Http2Fields, hasBody: boolean, caller: UpstreamCallOwner): Call | null | false {
    const isReused = this.#begun > 0;
    if (this.#isSecure) fields[':scheme'] = 'https';
    const stream = sendRequest(this.#session, fields, hasBody ? WITH_BODY : WITHOUT_BODY);
    // Whoever asks for room next must not be sent here again.
    if (stream === null) this.#markLeaving();
    if (stream === null || stream === false) return stream;
    this.#open += 1;
    this.#begun += 1;
    this.#idleSweeps = 0;
    const call = new Http2Call(this, stream, caller, isReused);
    if (this.#begun >= MAX_STREAMS_PER_UPSTREAM) this.leave();
    return call;
  }

  onStreamClosed(): void {
    this.#open -= 1;
    this.#owner.onRoom(this);
  }

  /** Ends the connection after the requests it carries. */
  leave(): void {
    this.#markLeaving();
    this.#session.close();
  }

  destroy(): void {
    this.#markLeaving();
    this.#session.destroy();
  }

  /** Whether the application said it will not have looked at that stream. */
  isUnprocessed(call: Call): boolean {
    if (call.resetCode === Http2Code.REFUSED_STREAM) return true;
    return this.#goawayCode >= 0 && call.streamId > this.#goawayLastId;
  }

  failureCode(call: Call | null): FailureCode {
    if (this.#isNotHttp2()) return FailureCode.MALFORMED_RESPONSE;
    if (this.#error?.code === 'ECONNRESET') return FailureCode.RESET;
    if (this.#session.destroyed || call === null) return FailureCode.CLOSED;
    return FailureCode.RESET;
  }

  /** Why a call, or the connection itself, failed, in the words of the reference (QP-82). */
  describeFailure(call: Call | null): string {
    if (this.#isNotHttp2()) return NOT_HTTP2;
    if (this.#goawayCode > 0) {
      const name = http2CodeName(this.#goawayCode);
      const lastId = this.#goawayLastId;
      const end = 'http2: server sent GOAWAY and closed the connection';
      return `${end}; LastStreamID=${lastId}, ErrCode=${name}`;
    }
    const error = this.#error;
    if (error !== null && error.syscall !== undefined) {
      return describeSocketError(error, this.#socket, this.#owner);
    }
    if (error !== null) return `http2: ${error.message}`;
    if (this.#session.destroyed || call === null) return 'EOF';
    const name = http2CodeName(call.resetCode);
    return `stream error: stream ID ${call.streamId}; ${name}; received from peer`;
  }

  /** Broken off before any SETTINGS: whatever answered does not speak HTTP/2 (QP-59). */
  #isNotHttp2(): boolean {
    return this.#limit === 0 && this.#error?.code === 'ERR_HTTP2_ERROR';
  }

  #onSettings(maxStreams: number | undefined): void {
    const wasReady = this.#limit > 0;
    this.#limit = Math.min(maxStreams ?? Number.POSITIVE_INFINITY, MAX_OPEN_STREAMS_PER_UPSTREAM);
    if (wasReady) this.#owner.onRoom(this);
    else this.#owner.onReady(this);
  }

  #onGoaway(code: number, lastId: number): void {
    this.#goawayCode = code;
    this.#goawayLastId = lastId;
    this.#markLeaving();
  }

  #markLeaving(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#owner.onLeaving(this);
  }

  #onClose(): void {
    this.#markLeaving();
    this.#owner.onGone(this);
  }
}
