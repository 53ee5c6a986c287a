// The client's side of answers on µWebSockets.js. What the engine makes hard, and how it is done:
// - known length: `tryEnd`, which takes what the kernel takes; the rest is kept and tried again;
// - unknown length: `write`, which takes all; while the client stalls nothing more is given to it;
// - no body: `endWithoutBody()` without an argument, a relayed Content-Length being a plain header;
// - a stalled client would be cut after ten seconds: `rearm`, called every few, tries a little.
// All writes are corked. `rest` is bounded by one read of the application, which is paused
// meanwhile.
// Invariants: nothing is called on the response after its end; one head per answer.
// Hot: once per read of an answer.

import type { HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { ClientAnswer } from './exchange-client.ts';
import { AnswerFraming, answerFraming } from './message-heads.ts';
import type { ResponseHead } from './response-head.ts';
import { latin1Bytes, uwsAnswerHead, uwsReplyHead, uwsSwitchHead } from './uws-heads.ts';
import type { WebSocketRelay } from './uws-websocket.ts';

/**
 * Times a finished answer without length waits for a client that takes nothing, at one per re-arm;
 * then it is handed to the engine, which cuts a client that still does not read after ten seconds.
 */
const MAX_STALLED_ENDS = 40;
const EMPTY = Buffer.alloc(0);
/** What the engine collects before it writes. */
const CORK_BYTES = 16 * 1024;
const LINE_END_BYTES = 2;
/** Length of `HTTP/1.1 `. */
const AFTER_VERSION = 9;

export interface UwsAnswerOwner {
  /** Room again after congestion. */
  onAnswerDrained(): void;
  /** The last call on the response is about to be made. */
  onAnswerEnding(): void;
  /** The engine has the whole answer. */
  onAnswerDone(): void;
}

export class UwsAnswer implements ClientAnswer {
  isCongested = false;
  readonly #owner: UwsAnswerOwner;
  /** Null once it must not be touched any more. */
  #response: HttpResponse | null;
  #framing: AnswerFraming = AnswerFraming.NONE;
  /** Head that was not written yet. */
  #lead = '';
  #total = 0;
  /** Body bytes the engine was given and took. */
  #offset = 0;
  #rest: Buffer = EMPTY;
  #isLast = false;
  #stalledEnds = 0;
  #isWatching = false;
  #tunnel: WebSocketRelay | null = null;
  /** The subprotocol the application chose. */
  #protocol = '';
  static #corked: UwsAnswer;
  static readonly #emitCorked = (): void => UwsAnswer.#corked.#emit();

  constructor(response: HttpResponse, owner: UwsAnswerOwner) {
    this.#response = response;
    this.#owner = owner;
  }

  /** Null once the answer is over. */
  get response(): HttpResponse | null {
    return this.#response;
  }

  reply(lead: string, body: string | Uint8Array): void {
    this.#lead = uwsReplyHead(lead, body.length > 0);
    this.#framing = body.length > 0 ? AnswerFraming.LENGTH : AnswerFraming.NONE;
    this.#rest = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body);
    this.#total = this.#rest.length;
    this.#isLast = true;
    this.#cork();
  }

  /**
   * A refusal; the connection ends with it at once, before the engine reads what follows as another
   * request. Closing drops what lies in the engine's cork, unless it is more than fits: so the text
   * is filled up with spaces, and its last line end is the one `writeStatus` adds.
   */
  refuse(lead: string, body: string): void {
    const response = this.#response;
    if (response === null) return;
    this.#response = null;
    const filled = body.padEnd(CORK_BYTES, ' ');
    const length = `\r\nContent-Length: ${filled.length + LINE_END_BYTES}\r\n`;
    const head = lead.slice(AFTER_VERSION).replace(/\r\nContent-Length: \d+\r\n/, length);
    response.writeStatus(head + filled);
    response.close();
    this.#owner.onAnswerDone();
  }

  interim(): void {
    // The engine has no interim answers.
  }

  /** Chunks, unless the length is known: every client here is an HTTP/1.1 one. */
  frame(head: ResponseHead, clientMinor: number): boolean {
    this.#framing = answerFraming(head, clientMinor);
    this.#total = head.contentLength;
    return false;
  }

  start(head: ResponseHead, _clientMinor: number, closes: boolean, extra: string): void {
    if (head.status === 101) {
      this.#lead = uwsSwitchHead(head, extra);
      this.#protocol = head.fields.value('sec-websocket-protocol');
    } else this.#lead = uwsAnswerHead(head, this.#framing, closes, extra);
  }

  write(buffer: Buffer, start: number, end: number, isLast: boolean): void {
    if (this.#tunnel !== null) {
      this.#tunnel.fromApplication(buffer, start, end);
      this.isCongested = this.#tunnel.isCongested;
      return;
    }
    const piece = start === end ? EMPTY : buffer.subarray(start, end);
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    this.#isLast = isLast;
    this.#cork();
    // Borrowed bytes that could not go out must not be kept.
    if (this.#rest === piece && piece.length > 0) this.#rest = Buffer.from(piece);
  }

  /**
   * After a 101 for a websocket: the response becomes one. Not inside of a cork: at its end the
   * engine takes a websocket whose memory did not move for the old response, and closes it or not,
   * as what is left in that memory says. The price is a warning of the engine's on stderr.
   */
  upgrade(relay: WebSocketRelay, key: string, context: us_socket_context_t): void {
    const response = this.#response;
    if (response === null) return;
    this.#response = null;
    this.#tunnel = relay;
    response.cork(() => response.writeStatus(latin1Bytes(this.#lead)));
    response.upgrade({ relay }, key, this.#protocol, '', context);
  }

  endTunnel(): void {
    this.#tunnel?.onApplicationEnd();
  }

  /** The client is gone: nothing may be called any more. */
  gone(): void {
    this.#response = null;
    this.#rest = EMPTY;
  }

  /** Cuts the client off; it sees a short answer, never a clean end. */
  abort(): void {
    const response = this.#response;
    this.gone();
    response?.close();
  }

  /**
   * Tries to write a little: keeps the engine from giving up a stalled client, and makes it wait
   * for room again after a pause or resume of the body made it forget.
   */
  rearm(): void {
    const response = this.#response;
    if (response === null || !this.isCongested) return;
    if (this.#framing === AnswerFraming.LENGTH || this.#rest.length > 0) {
      this.#cork();
      this.#reportDrained();
      return;
    }
    response.cork(nothing);
    if (!this.#isLast) this.#owner.onAnswerDrained();
    else if (++this.#stalledEnds > MAX_STALLED_ENDS) response.cork(() => this.#finish(response));
  }

  #cork(): void {
    if (this.#response === null) return;
    UwsAnswer.#corked = this;
    this.#response.cork(UwsAnswer.#emitCorked);
  }

  #emit(): void {
    const response = this.#response;
    if (response === null) return;
    if (this.#lead !== '') {
      response.writeStatus(latin1Bytes(this.#lead));
      this.#lead = '';
    }
    if (this.#framing === AnswerFraming.LENGTH) this.#emitSized(response);
    else if (this.#framing === AnswerFraming.NONE) this.#finish(response);
    else this.#emitChunks(response);
  }

  #emitSized(response: HttpResponse): void {
    if (this.#isLast) this.#owner.onAnswerEnding();
    const [isTaken, isDone] = response.tryEnd(this.#rest, this.#total);
    if (isDone) {
      this.#over();
      return;
    }
    if (isTaken) {
      this.#offset += this.#rest.length;
      this.#rest = EMPTY;
      this.isCongested = false;
      return;
    }
    const offset = response.getWriteOffset();
    // A copy: the bytes may be the application's read buffer.
    this.#rest = Buffer.from(this.#rest.subarray(offset - this.#offset));
    this.#offset = offset;
    this.#congest(response);
  }

  #emitChunks(response: HttpResponse): void {
    if (this.isCongested && this.#rest.length > 0) {
      // One byte tells whether there is room, and keeps the engine from giving up.
      const hasRoom = response.write(this.#rest.subarray(0, 1));
      this.#rest = Buffer.from(this.#rest.subarray(1));
      if (!hasRoom) return;
      this.isCongested = false;
    }
    if (this.#rest.length > 0 && !this.isCongested) {
      const hasRoom = response.write(this.#rest);
      this.#rest = EMPTY;
      if (!hasRoom) this.#congest(response);
    }
    if (this.#isLast && !this.isCongested) this.#finish(response);
  }

  #congest(response: HttpResponse): void {
    this.isCongested = true;
    if (this.#isWatching) return;
    this.#isWatching = true;
    response.onWritable(() => this.#onWritable(response));
  }

  /** True when there was nothing more to write or all of it was taken. */
  #onWritable(response: HttpResponse): boolean {
    if (this.#response === null) return true;
    if (this.#framing !== AnswerFraming.LENGTH) {
      // What the engine itself holds goes out only with a write, and the end of a cork is one.
      response.cork(nothing);
      this.isCongested = false;
    }
    this.#cork();
    this.#reportDrained();
    return !this.isCongested;
  }

  #reportDrained(): void {
    if (!this.isCongested && !this.#isLast) this.#owner.onAnswerDrained();
  }

  #finish(response: HttpResponse): void {
    this.#owner.onAnswerEnding();
    if (this.#framing === AnswerFraming.NONE) response.endWithoutBody();
    else response.end();
    this.#over();
  }

  #over(): void {
    this.#response = null;
    this.#rest = EMPTY;
    this.isCongested = false;
    this.#owner.onAnswerDone();
  }
}

function nothing(): void {
  // The end of a cork is what does it.
}
