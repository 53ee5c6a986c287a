// One client connection that speaks HTTP/2: a node:http2 session and what we watch over it. Every
// stream becomes an Http2Exchange; frames that are no work are counted (h2-flood.ts).
// Invariant: every exchange that was begun is ended, at the latest when the connection closes,
// because node:http2 then closes every stream. Hot: `onStream` runs per request.

import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { ClientSocket } from './client-closing.ts';
import type { Peer } from './connection-host.ts';
import { Http2Code } from './h2-codes.ts';
import { Http2Exchange } from './h2-exchange.ts';
import type { RawFields } from './h2-fields.ts';
import { FloodGuard } from './h2-flood.ts';
import { CONNECTION_WINDOW_BYTES, SERVER_OPTIONS } from './h2-limits.ts';
import type { Http2Module } from './h2-module.ts';
import { readHttp2Head } from './h2-request-head.ts';
import type { ExchangeHandler } from './types.ts';

/** Errors of nghttp2 that are the client's, and what RFC 9113 calls them. */
const CODE_OF_NGHTTP2_ERROR: Readonly<Record<number, number>> = {
  [-505]: 1, // PROTOCOL_ERROR
  [-510]: 5, // STREAM_CLOSED
  [-513]: 5, // a frame for a stream that takes none any more
  [-522]: 6, // FRAME_SIZE_ERROR
  [-523]: 9, // COMPRESSION_ERROR
  [-524]: 3, // FLOW_CONTROL_ERROR
  [-531]: 1, // malformed message
};

/** What a connection needs of its server. */
export interface Http2Host {
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  /** How long a client may take to complete its preface. */
  readonly headTimeoutMs: number;
  /** A request was refused before any role saw it. */
  onRejected(): void;
  /** The connection ended itself because of what its client did. */
  onFlood(connection: Http2Connection, what: string): void;
  onClosed(connection: Http2Connection): void;
}

export class Http2Connection {
  readonly host: Http2Host;
  readonly peer: Peer;
  readonly #session: ServerHttp2Session;
  readonly #socket: ClientSocket;
  readonly #guard: FloodGuard;
  /** Set until the client's first SETTINGS came, which completes its preface (QP-5). */
  #startTimer: TimerHandle | null;
  #exchanges = 0;

  constructor(host: Http2Host, http2: Http2Module, socket: ClientSocket, peer: Peer) {
    this.host = host;
    this.peer = peer;
    this.#socket = socket;
    this.#guard = new FloodGuard(host.clock);
    this.#startTimer = host.clock.setTimer(host.headTimeoutMs, () => this.destroy(), {
      background: true,
    });
    // A client that ends its side of the connection wants no more answers on HTTP/2.
    socket.allowHalfOpen = false;
    const session = http2.performServerHandshake(socket, SERVER_OPTIONS);
    this.#session = session;
    nameErrors(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', onStream.bind(null, this));
    session.on('ping', () => this.#judge(this.#guard.onPing(), 'ping'));
    session.on('remoteSettings', () => this.#onSettings());
    // Not in the types; counting costs a call per frame, which only odd clients send.
    session.on('priority' as 'ping', () => this.#judge(this.#guard.onPriority(), 'priority'));
    session.on('error', () => undefined); // `close` follows.
    session.on('close', () => this.#onClose());
  }

  /** Requests whose answer is not complete. */
  get exchangeCount(): number {
    return this.#exchanges;
  }

  /** Tells the client to go away; the connection closes after the streams it carries. */
  drain(): void {
    this.#session.close();
  }

  destroy(): void {
    if (this.#session.destroyed) this.#socket.destroy();
    else this.#session.destroy();
  }

  /** Bytes of a body passed. */
  onProgress(): void {
    this.#guard.onProgress();
  }

  onExchangeEnd(): void {
    this.#exchanges -= 1;
  }

  /** A stream ended before its answer did. */
  onReset(): void {
    this.#judge(this.#guard.onReset(), 'reset');
  }

  #onSettings(): void {
    this.#stopStartTimer();
    this.#judge(this.#guard.onSettings(), 'settings');
  }

  onStream(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    flags: number,
    raw: RawFields,
  ): void {
    this.#guard.onStream();
    if (stream.closed || stream.destroyed) {
      stream.on('error', () => undefined);
      this.onReset();
      return;
    }
    const head = readHttp2Head(headers, flags, raw);
    if (head === null) this.#refuse(stream);
    else if (head.target === '*') this.#answerOptions(stream);
    else this.#begin(new Http2Exchange(this, stream, head));
  }

  #begin(exchange: Http2Exchange): void {
    this.#exchanges += 1;
    this.host.handler.onRequest(exchange);
  }

  /** Malformed: no handler runs, nothing is forwarded (QP-7, RFC 9113 section 8.1.1). */
  #refuse(stream: ServerHttp2Stream): void {
    stream.on('error', () => undefined);
    stream.close(Http2Code.PROTOCOL_ERROR);
    this.host.onRejected();
    this.onReset();
  }

  /** QP-7: `OPTIONS *` asks about the server, so the server answers. */
  #answerOptions(stream: ServerHttp2Stream): void {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-length': '0' }, { endStream: true });
    stream.resume();
  }

  #stopStartTimer(): void {
    this.#startTimer?.cancel();
    this.#startTimer = null;
  }

  #onClose(): void {
    this.#stopStartTimer();
    this.host.onClosed(this);
  }

  #judge(isFlood: boolean, what: string): void {
    if (!isFlood || this.#session.destroyed) return;
    this.#session.destroy(new Error(`flood: ${what}`), Http2Code.ENHANCE_YOUR_CALM);
    this.host.onFlood(this, what);
  }
}

/**
 * node:http2 ends a connection over any error of its client with INTERNAL_ERROR; the peer deserves
 * to hear the one it made (RFC 9113 section 5.4.1).
 */
function nameErrors(session: ServerHttp2Session): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (error?: Error, code?: number): void => {
    const errno = (error as NodeJS.ErrnoException | undefined)?.errno;
    destroy(error, code ?? (errno === undefined ? undefined : CODE_OF_NGHTTP2_ERROR[errno]));
  };
}

/** The types know nothing of the fourth argument: every field as it came. */
function onStream(
  connection: Http2Connection,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  ...rest: unknown[]
): void {
  connection.onStream(stream, headers, flags, rest[0] as RawFields);
}
