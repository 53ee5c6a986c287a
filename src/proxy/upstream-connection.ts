// One connection to an application: carries one request at a time and parses its answers. Between
// requests it lies in the pool of its address. It knows nothing of clients: whoever sends through
// it is an UpstreamCaller, told of heads, bytes and loss. Invariants: `caller` is set exactly while
// a request is under way; the connection is back in its pool (or destroyed) before the caller hears
// of the last byte; every caller hears either a last byte or onUpstreamLost, never both, unless it
// let go first. Hot: `onWireBytes` runs per read, on a buffer all connections share; nothing may keep
// that buffer.

import type { Socket } from 'node:net';
import { AnswerReader, type AnswerSink } from './answer-reader.ts';
import { writePiece } from './body-writer.ts';
import { ReadPause } from './read-pause.ts';
import type { ResponseHead } from './response-head.ts';
import { FailureCode } from './types.ts';
import { describeSocketError, malformedResponse } from './upstream-errors.ts';
import type { UpstreamCaller, UpstreamLink } from './upstream-link.ts';
import { UpstreamSocket } from './upstream-socket.ts';
import type { UpstreamTls } from './upstream-tls.ts';
import { Wire, type WireReader } from './wire.ts';

const TCP_KEEP_ALIVE_MS = 5_000;

/** What a connection tells the pool it came from. */
export interface ConnectionOwner {
  readonly host: string;
  readonly port: number;
  /** Null = plain TCP. */
  readonly tls: UpstreamTls | null;
  /** Both absent where the connection stood before. */
  onConnected?(connection: UpstreamConnection): void;
  onConnectFailed?(connection: UpstreamConnection, error: NodeJS.ErrnoException): void;
  /** The answer is over and the connection may carry another request. */
  park(connection: UpstreamConnection): void;
  /** The connection is unusable from now on. */
  onClosed(connection: UpstreamConnection): void;
}

const Phase = { CONNECTING: 0, IDLE: 1, BUSY: 2, CLOSED: 3 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

export class UpstreamConnection implements AnswerSink, UpstreamLink, WireReader {
  readonly socket: Socket;
  caller: UpstreamCaller | null = null;
  /** Requests begun on this connection. */
  requestCount = 0;
  /** Set by the caller once the whole request was written. */
  requestDone = false;
  /** Monotonic time of parking. */
  idleSinceMs = Number.NaN;
  /** `Keep-Alive: timeout` of the last answer, -1 if none. */
  keepAliveMs = -1;
  #phase: Phase = Phase.CONNECTING;
  readonly #owner: ConnectionOwner;
  readonly #reader = new AnswerReader(this);
  /** The same socket; null over TLS, where a failed write ends it (QP-87). */
  readonly #plain: UpstreamSocket | null;
  readonly #wire: Wire;
  readonly #pause: ReadPause;
  #isTunnel = false;
  #hasEnded = false;

  /** `standing`: libuv's object of a TCP connection that stands already; idle from the start. */
  constructor(owner: ConnectionOwner, standing: object | null = null) {
    this.#owner = owner;
    const { tls } = owner;
    this.#plain = tls === null ? plainSocket(owner, standing) : null;
    this.socket = this.#plain ?? tls!.connect(owner, 'http/1.1');
    this.#wire = new Wire(this.socket, this);
    this.#pause = new ReadPause(this.#wire);
    this.socket.on(tls === null ? 'connect' : 'secureConnect', () => this.#onConnect());
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('error', (error) => this.#onError(error));
    this.socket.on('close', () => this.#lose(FailureCode.CLOSED, 'EOF', false));
    if (standing === null) return;
    // Whoever opened it used it: a request that finds it closed may go on another connection.
    this.requestCount = 1;
    this.#phase = Phase.IDLE;
    this.#wire.start();
  }

  /** The head of the answer under way. */
  get head(): ResponseHead {
    return this.#reader.head;
  }

  get isReused(): boolean {
    return this.requestCount > 1;
  }

  get isIdle(): boolean {
    return this.#phase === Phase.IDLE;
  }

  get isCongested(): boolean {
    return this.#wire.isCongested;
  }

  /** Starts a request; the caller writes its head and body next. */
  begin(caller: UpstreamCaller, hasBody: boolean): void {
    if (this.#plain !== null) this.#plain.isUploading = hasBody;
    this.#wire.ignoresWriteErrors = hasBody;
    this.caller = caller;
    this.requestCount += 1;
    this.requestDone = false;
    this.#phase = Phase.BUSY;
    this.#reader.begin(caller.method);
  }

  /** Writes a piece of the request; see writePiece. */
  write(
    lead: string,
    buffer: Buffer,
    start: number,
    end: number,
    isChunked: boolean,
    tail: string,
  ): void {
    writePiece(this.#wire, lead, buffer, start, end, isChunked, tail);
  }

  pause(): void {
    this.#pause.set(true);
  }

  resume(): void {
    this.#pause.set(false);
  }

  /** After a 101: bytes pass as they come, in both directions. */
  startTunnel(): void {
    this.#isTunnel = true;
    this.#reader.startRaw();
  }

  /** Lets everything written reach the application, then closes. */
  closeGently(): void {
    this.caller = null;
    this.#leave();
    this.resume();
    this.socket.destroySoon();
  }

  /** Gives the connection up at once; the caller hears nothing more. */
  destroy(): void {
    this.caller = null;
    this.#leave();
    this.socket.destroy();
  }

  /** For a caller whose client vanished: the application should notice, too. */
  reset(): void {
    this.caller = null;
    this.#leave();
    this.socket.resetAndDestroy();
  }

  #leave(): void {
    if (this.#phase === Phase.CLOSED) return;
    this.#phase = Phase.CLOSED;
    this.#reader.stop();
    this.#owner.onClosed(this);
  }

  #onConnect(): void {
    if (this.#phase !== Phase.CONNECTING) return;
    this.#phase = Phase.IDLE;
    this.#wire.start();
    this.#owner.onConnected?.(this);
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (this.#phase === Phase.CONNECTING) {
      this.#phase = Phase.CLOSED;
      this.#owner.onConnectFailed?.(this, error);
      return;
    }
    const message = describeSocketError(error, this.socket, this.#owner);
    const code = error.code === 'ECONNRESET' ? FailureCode.RESET : FailureCode.CLOSED;
    // A write that failed on the spot got nothing out: the reset was there before it.
    this.#lose(code, message, error.code === 'EPIPE' || error.syscall === 'write');
  }

  #lose(code: FailureCode, message: string, isUnwritten: boolean): void {
    const caller = this.caller;
    const isUntouched = this.#reader.isUntouched;
    this.destroy();
    caller?.onUpstreamLost(code, message, isUntouched, isUntouched && isUnwritten);
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#phase === Phase.BUSY && this.#reader.end()) return;
    this.#lose(FailureCode.CLOSED, this.#reader.isUntouched ? 'EOF' : 'unexpected EOF', false);
  }

  onWireBytes(buffer: Buffer, count: number): void {
    if (this.#phase === Phase.BUSY) this.#reader.read(buffer, count);
    // Nobody asked: an answer to nothing must never become the answer to the next request.
    else if (this.#phase === Phase.IDLE) this.destroy();
  }

  onWireDrain(): void {
    this.caller?.onUpstreamDrain();
  }

  onAnswerInterim(): void {
    this.caller?.onUpstreamInterim(this);
  }

  onAnswerHead(): void {
    this.keepAliveMs = this.#reader.head.keepAliveMs;
    this.caller?.onUpstreamHead(this);
  }

  onAnswerData(buffer: Buffer, start: number, end: number, isLast: boolean, surplus: number): void {
    const caller = this.caller;
    if (isLast && !this.#isTunnel) this.#finish(surplus);
    caller?.onUpstreamData(buffer, start, end, isLast, isLast ? this.#reader.trailers : '');
  }

  onAnswerMalformed(shown: string): void {
    this.#lose(FailureCode.MALFORMED_RESPONSE, malformedResponse(shown), false);
  }

  /** The answer is over; `surplus` bytes behind it belong to nobody. */
  #finish(surplus: number): void {
    const isReusable =
      this.#reader.head.keepAlive && this.requestDone && !this.#hasEnded && surplus === 0;
    this.caller = null;
    this.resume();
    if (isReusable) {
      this.#phase = Phase.IDLE;
      this.#owner.park(this);
    } else this.destroy();
  }
}

function plainSocket({ host, port }: ConnectionOwner, standing: object | null): UpstreamSocket {
  if (standing !== null) {
    const socket = new UpstreamSocket({ allowHalfOpen: true, handle: standing });
    return socket.setNoDelay(true).setKeepAlive(true, TCP_KEEP_ALIVE_MS);
  }
  const socket = new UpstreamSocket({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  });
  socket.connect({ host, port });
  return socket;
}
