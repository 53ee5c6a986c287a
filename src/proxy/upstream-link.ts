// What an exchange needs of the other side, whatever that speaks. An HTTP/1 exchange sends through
// an UpstreamLink: a connection of its own, or a stream of HTTP/2 behind the same face
// (h2-link.ts). An HTTP/2 exchange sends through an UpstreamCall: a stream, or a connection of
// HTTP/1.1 behind the same face (h1-call.ts). Types only; in one process each call site mostly sees
// one class, so the interfaces cost nothing.

import type { Http2Fields, RawFields } from './h2-fields.ts';
import type { ResponseHead } from './response-head.ts';
import type { FailureCode } from './types.ts';

/** Who sends a request through a link. */
export interface UpstreamCaller {
  readonly method: string;
  /** An interim head (1xx but not 101) was read into `link.head`. */
  onUpstreamInterim(link: UpstreamLink): void;
  /** The final head was read into `link.head`; onUpstreamData follows at once. */
  onUpstreamHead(link: UpstreamLink): void;
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

/** Carries one request at a time for a caller. */
export interface UpstreamLink {
  /** The head of the answer under way. */
  readonly head: ResponseHead;
  /** It carried a request before this one. */
  readonly isReused: boolean;
  readonly isCongested: boolean;
  /** Set by the caller once the whole request was written, before the write that ends it. */
  requestDone: boolean;
  /** Starts a request; the caller writes its head and body next. */
  begin(caller: UpstreamCaller, hasBody: boolean): void;
  /** Writes a piece of the request; see writePiece. */
  write(
    lead: string,
    buffer: Buffer,
    start: number,
    end: number,
    isChunked: boolean,
    tail: string,
  ): void;
  pause(): void;
  resume(): void;
  /** After a 101: bytes pass as they come, in both directions. */
  startTunnel(): void;
  /** Lets everything written reach the application, then closes. */
  closeGently(): void;
  /** Gives the request up at once; the caller hears nothing more. */
  destroy(): void;
}

/** Who waits for a link. */
export interface DialWaiter {
  onDialed(link: UpstreamLink): void;
  /** Attempts time out; there will be more. The waiter may cancel. */
  onDialStalled?(): void;
  onDialFailed(code: FailureCode, message: string): void;
}

/** A link in the making. */
export interface PendingDial {
  /** The waiter hears nothing more. */
  cancel(): void;
}

/** Who makes a call. */
export interface UpstreamCallOwner {
  onCallInterim(call: UpstreamCall, status: number, raw: RawFields): void;
  /** The final head; with `isEnd` there is neither body nor trailers, and onCallEnd follows. */
  onCallHead(call: UpstreamCall, status: number, raw: RawFields, isEnd: boolean): void;
  onCallData(call: UpstreamCall, chunk: Buffer): void;
  /** The answer is complete; `trailers` is null when there were none. */
  onCallEnd(call: UpstreamCall, trailers: RawFields | null): void;
  onCallLost(call: UpstreamCall): void;
  /** Writes may go on after congestion. */
  onCallDrain(call: UpstreamCall): void;
}

/** One request under way. */
export interface UpstreamCall {
  /** Whether the connection had carried a request before this one. */
  readonly isReused: boolean;
  /** No byte of an answer came so far. */
  readonly isUntouched: boolean;
  /** False when the caller should pause until onCallDrain. */
  write(chunk: Buffer): boolean;
  /** The request is complete. */
  end(trailers: RawFields | null): void;
  pause(): void;
  resume(): void;
  /** Lets go: the caller hears nothing more. */
  cancel(): void;
}

/** A connection that takes calls. */
export interface CallUpstream {
  /**
   * Sends a request head. Null when the connection turned out unusable: try another; false when
   * such a head cannot be sent on any.
   */
  open(
    fields: Http2Fields,
    hasBody: boolean,
    owner: UpstreamCallOwner,
  ): UpstreamCall | null | false;
  /** Whether the application said it will not have looked at that call. */
  isUnprocessed(call: UpstreamCall): boolean;
  failureCode(call: UpstreamCall | null): FailureCode;
  /** QP-82 text. */
  describeFailure(call: UpstreamCall | null): string;
}

/** Who waits for a connection that takes a call. */
export interface CallPoolWaiter {
  onUpstreamRoom(upstream: CallUpstream): void;
  /** Attempts to connect time out; there will be more. The waiter may cancel. */
  onUpstreamStalled?(): void;
  onUpstreamUnreachable(code: FailureCode, message: string): void;
}

/** Where calls find their connection. */
export interface CallPool {
  /** A connection with room for a call, or null: then `wait`. */
  checkout(): CallUpstream | null;
  /** Calls back later, never before it returns. */
  wait(waiter: CallPoolWaiter): void;
  cancel(waiter: CallPoolWaiter): void;
  /** Called a few times per idle timeout. */
  sweep(): void;
  close(): void;
}
