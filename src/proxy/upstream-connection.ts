// One connection to an application: carries one request at a time and parses its answers. Between
// requests it lies in the pool of its address. It knows nothing of clients: whoever sends through it
// is an UpstreamCaller, told of heads, bytes and loss.
// Invariants: `caller` is set exactly while a request is under way; the connection is back in its pool
// (or destroyed) before the caller hears of the last byte; every caller hears either a last byte or
// onUpstreamLost, never both, unless it let go first.
// Hot: `onRead` runs per read, on a buffer all connections share; nothing may keep that buffer.

import { connect, type Socket } from 'node:net';
import { isCongested, writePiece } from './body-writer.ts';
import { ByteBacklog, findHeadEnd } from './byte-backlog.ts';
import { ChunkDecoder, ChunkStatus } from './chunk-decoder.ts';
import { mayBecomeHead } from './header-fields.ts';
import { readLatin1 } from './latin1.ts';
import { BodyMode, ResponseHead } from './response-head.ts';
import { FailureCode } from './types.ts';
import { describeSocketError, malformedResponse } from './upstream-errors.ts';

/** The answer head of an application; above it the answer is malformed. */
const MAX_RESPONSE_HEAD_BYTES = 1024 * 1024;
/** A head this long is decoded together with what follows it; longer ones take a second look. */
const HEAD_WINDOW_BYTES = 8 * 1024;
const TCP_KEEP_ALIVE_MS = 5_000;
const EMPTY = Buffer.alloc(0);

/** Who sends a request through a connection. */
export interface UpstreamCaller {
  readonly method: string;
  /** An interim head (1xx but not 101) was read into `connection.head`. */
  onUpstreamInterim(connection: UpstreamConnection): void;
  /** The final head was read into `connection.head`; onUpstreamData follows at once. */
  onUpstreamHead(connection: UpstreamConnection): void;
  /** Body bytes, borrowed for the call; `isLast` ends the answer, `trailers` are whole lines. */
  onUpstreamData(
    buffer: Buffer,
    start: number,
    end: number,
    isLast: boolean,
    trailers: string,
  ): void;
  /** Writes may go on after congestion. */
  onUpstreamDrain(): void;
  /** `isUntouched`: no byte of an answer came. `isUnwritten`: nothing of the request got out. */
  onUpstreamLost(
    code: FailureCode,
    message: string,
    isUntouched: boolean,
    isUnwritten: boolean,
  ): void;
}

/** What a connection tells the pool it came from. */
export interface ConnectionOwner {
  readonly host: string;
  readonly port: number;
  readonly readBuffer: Buffer;
  onConnected(connection: UpstreamConnection): void;
  onConnectFailed(connection: UpstreamConnection, error: NodeJS.ErrnoException): void;
  /** The answer is over and the connection may carry another request. */
  park(connection: UpstreamConnection): void;
  /** The connection is unusable from now on. */
  onClosed(connection: UpstreamConnection): void;
}

const Phase = { CONNECTING: 0, IDLE: 1, HEAD: 2, BODY: 3, TUNNEL: 4, CLOSED: 5 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

export class UpstreamConnection {
  readonly head = new ResponseHead();
  readonly #decoder = new ChunkDecoder();
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
  readonly #backlog = new ByteBacklog();
  #remaining = 0;
  #isUntouched = true;
  #isPaused = false;
  #hasEnded = false;

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
    this.socket = connect({
      host: owner.host,
      port: owner.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      onread: {
        buffer: owner.readBuffer,
        callback: (count, buffer) => this.#onRead(count, buffer as Buffer),
      },
    });
    this.socket.on('connect', () => this.#onConnect());
    this.socket.on('drain', () => this.caller?.onUpstreamDrain());
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('error', (error) => this.#onError(error));
    this.socket.on('close', () => this.#lose(FailureCode.CLOSED, 'EOF', false));
  }

  get isReused(): boolean {
    return this.requestCount > 1;
  }

  get isIdle(): boolean {
    return this.#phase === Phase.IDLE;
  }

  get isCongested(): boolean {
    return isCongested(this.socket);
  }

  /** Starts a request; the caller writes its head and body next. */
  begin(caller: UpstreamCaller): void {
    this.caller = caller;
    this.requestCount += 1;
    this.requestDone = false;
    this.#phase = Phase.HEAD;
    this.#isUntouched = true;
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
    writePiece(this.socket, lead, buffer, start, end, isChunked, tail, true);
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
  }

  /** After a 101: bytes pass as they come, in both directions. */
  startTunnel(): void {
    this.#phase = Phase.TUNNEL;
  }

  /** Ends the request side after what was written; the application may still answer. */
  endWriting(): void {
    this.socket.end();
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
    this.#owner.onClosed(this);
  }

  #onConnect(): void {
    if (this.#phase !== Phase.CONNECTING) return;
    this.#phase = Phase.IDLE;
    this.#owner.onConnected(this);
  }

  #onError(error: NodeJS.ErrnoException): void {
    if (this.#phase === Phase.CONNECTING) {
      this.#phase = Phase.CLOSED;
      this.#owner.onConnectFailed(this, error);
      return;
    }
    const message = describeSocketError(error, this.socket, this.#owner);
    const code = error.code === 'ECONNRESET' ? FailureCode.RESET : FailureCode.CLOSED;
    this.#lose(code, message, error.code === 'EPIPE');
  }

  #lose(code: FailureCode, message: string, isUnwritten: boolean): void {
    const caller = this.caller;
    const isUntouched = this.#isUntouched && this.#phase === Phase.HEAD;
    this.destroy();
    caller?.onUpstreamLost(code, message, isUntouched, isUntouched && isUnwritten);
  }

  #onEnd(): void {
    this.#hasEnded = true;
    const isComplete =
      this.#phase === Phase.TUNNEL ||
      (this.#phase === Phase.BODY && this.head.bodyMode === BodyMode.CLOSE);
    if (!isComplete) {
      this.#lose(FailureCode.CLOSED, this.#isUntouched ? 'EOF' : 'unexpected EOF', false);
    } else if (this.#phase === Phase.TUNNEL) {
      this.caller?.onUpstreamData(EMPTY, 0, 0, true, '');
    } else this.#finish(EMPTY, 0, 0, 0);
  }

  #onRead(count: number, buffer: Buffer): boolean {
    if (this.#phase === Phase.HEAD) this.#onHeadBytes(buffer, count);
    else if (this.#phase === Phase.BODY) this.#onBody(buffer, 0, count);
    else if (this.#phase === Phase.TUNNEL) this.caller?.onUpstreamData(buffer, 0, count, false, '');
    // Nobody asked: an answer to nothing must never become the answer to the next request.
    else if (this.#phase === Phase.IDLE) this.destroy();
    return true;
  }

  #onHeadBytes(buffer: Buffer, count: number): void {
    this.#isUntouched = false;
    if (this.#backlog.length === 0) {
      this.#onHead(buffer, 0, count);
      return;
    }
    const searched = this.#backlog.length;
    this.#backlog.append(buffer, 0, count);
    if (findHeadEnd(this.#backlog.view(), Math.max(0, searched - 3)) < 0) {
      this.#judgePartialHead(searched);
      return;
    }
    const bytes = this.#backlog.take();
    this.#onHead(bytes, 0, bytes.length);
  }

  /** Reads heads from `buffer[from, end)`: any number of interim ones, then the final one. */
  #onHead(buffer: Buffer, from: number, end: number): void {
    let start = from;
    while (this.#phase === Phase.HEAD) {
      const text = takeHeadText(buffer, start, end);
      if (text === '') {
        this.#backlog.append(buffer, start, end);
        this.#judgePartialHead(0);
        return;
      }
      const caller = this.caller!;
      if (text.length > MAX_RESPONSE_HEAD_BYTES || !this.head.parse(text, caller.method)) {
        this.#lose(FailureCode.MALFORMED_RESPONSE, malformedResponse(text), false);
        return;
      }
      start += text.length;
      if (this.head.status < 200 && this.head.status !== 101) {
        caller.onUpstreamInterim(this);
        if (start === end) return;
      } else this.#startBody(caller, buffer, start, end);
    }
  }

  #startBody(caller: UpstreamCaller, buffer: Buffer, start: number, end: number): void {
    this.keepAliveMs = this.head.keepAliveMs;
    this.#remaining = this.head.contentLength;
    this.#phase = Phase.BODY;
    if (this.head.bodyMode === BodyMode.CHUNKED) this.#decoder.reset();
    caller.onUpstreamHead(this);
    if (this.caller !== caller) return;
    if ((this.#phase as Phase) === Phase.TUNNEL)
      caller.onUpstreamData(buffer, start, end, false, '');
    else this.#onBody(buffer, start, end);
  }

  #judgePartialHead(judged: number): void {
    if (this.#backlog.length === 0) return;
    const bytes = this.#backlog.view();
    const from = Math.max(0, judged - 1);
    const recent = readLatin1(bytes, from, bytes.length);
    const isPossible =
      bytes.length <= MAX_RESPONSE_HEAD_BYTES && mayBecomeHead(recent, judged - from);
    if (isPossible && startsLikeHttp(bytes)) return;
    const shown = readLatin1(bytes, 0, Math.min(bytes.length, 256));
    this.#lose(FailureCode.MALFORMED_RESPONSE, malformedResponse(shown), false);
  }

  #onBody(buffer: Buffer, start: number, end: number): void {
    switch (this.head.bodyMode) {
      case BodyMode.NONE:
        this.#finish(buffer, start, start, end);
        return;
      case BodyMode.LENGTH:
        this.#onLengthBody(buffer, start, end);
        return;
      case BodyMode.CHUNKED:
        this.#onChunkedBody(buffer, start, end);
        return;
      default:
        this.caller?.onUpstreamData(buffer, start, end, false, '');
    }
  }

  #onLengthBody(buffer: Buffer, start: number, end: number): void {
    const dataEnd = Math.min(end, start + this.#remaining);
    this.#remaining -= dataEnd - start;
    if (this.#remaining === 0) this.#finish(buffer, start, dataEnd, end);
    else this.caller?.onUpstreamData(buffer, start, dataEnd, false, '');
  }

  #onChunkedBody(buffer: Buffer, start: number, end: number): void {
    const decoder = this.#decoder;
    const status = decoder.decode(buffer, start, end);
    if (status === ChunkStatus.MALFORMED) {
      this.#lose(FailureCode.MALFORMED_RESPONSE, malformedResponse(''), false);
    } else if (status === ChunkStatus.DONE) {
      const surplus = end - decoder.consumed;
      this.#finish(buffer, decoder.dataStart, decoder.dataEnd, decoder.dataEnd + surplus);
    } else this.caller?.onUpstreamData(buffer, decoder.dataStart, decoder.dataEnd, false, '');
  }

  /** The answer ends at `dataEnd`; bytes up to `end` belong to nobody. */
  #finish(buffer: Buffer, start: number, dataEnd: number, end: number): void {
    const caller = this.caller;
    const trailers = this.head.bodyMode === BodyMode.CHUNKED ? this.#decoder.trailers : '';
    const isReusable =
      this.head.keepAlive && this.requestDone && !this.#hasEnded && dataEnd === end;
    this.caller = null;
    this.resume();
    if (isReusable) {
      this.#phase = Phase.IDLE;
      this.#owner.park(this);
    } else this.destroy();
    caller?.onUpstreamData(buffer, start, dataEnd, true, trailers);
  }
}

/** The head at `start` with its empty line, '' while it is incomplete. */
function takeHeadText(buffer: Buffer, start: number, end: number): string {
  const windowEnd = Math.min(end, start + HEAD_WINDOW_BYTES);
  const window = readLatin1(buffer, start, windowEnd);
  const at = window.indexOf('\r\n\r\n');
  if (at >= 0) return at + 4 === window.length ? window : window.slice(0, at + 4);
  if (windowEnd === end) return '';
  const headEnd = findHeadEnd(buffer.subarray(0, end), Math.max(start, windowEnd - 3));
  return headEnd < 0 ? '' : readLatin1(buffer, start, headEnd);
}

const PROTOCOL = 'HTTP/1.';

function startsLikeHttp(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, PROTOCOL.length);
  return readLatin1(bytes, 0, length) === PROTOCOL.slice(0, length);
}
