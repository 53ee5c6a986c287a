// The client's side of relayed answers: frames them for this client, and lets the head wait for the
// first bytes of the body so that both share one write. One per connection; answers on a connection
// never overlap.
// Hot: once per read of an answer.

import { writePiece } from './body-writer.ts';
import type { ClientAnswer } from './exchange-client.ts';
import { AnswerFraming, answerFraming, answerHeadFor } from './message-heads.ts';
import { type DateLine, writeReply } from './replies.ts';
import type { ResponseHead } from './response-head.ts';
import type { Wire } from './wire.ts';

const LAST_CHUNK = '0\r\n';

export class AnswerWriter implements ClientAnswer {
  readonly #wire: Wire;
  readonly #date: DateLine;
  #framing: AnswerFraming = AnswerFraming.NONE;
  /** Head that was not written yet. */
  #lead = '';

  constructor(wire: Wire, date: DateLine) {
    this.#wire = wire;
    this.#date = date;
  }

  /** A local answer, head and body, in one write. */
  reply(lead: string, body: string | Uint8Array): void {
    this.#lead = '';
    writeReply(this.#wire, lead, body);
  }

  /** An interim head, at once. */
  interim(text: string): void {
    this.#wire.write(text);
  }

  /** Chooses the framing; true when only the end of the connection can end the answer. */
  frame(head: ResponseHead, clientMinor: number): boolean {
    this.#framing = answerFraming(head, clientMinor);
    return this.#framing === AnswerFraming.CLOSE;
  }

  /** Prepares the head; `write` must follow. `extra` are whole lines. */
  start(head: ResponseHead, clientMinor: number, closes: boolean, extra: string): void {
    this.#lead = answerHeadFor(head, this.#framing, clientMinor, closes, extra, this.#date);
  }

  /**
   * Body bytes, borrowed for the call; `isLast` ends the answer, after `trailers` if it has any.
   */
  write(buffer: Buffer, start: number, end: number, isLast: boolean, trailers: string): void {
    const isChunked = this.#framing === AnswerFraming.CHUNKED;
    const tail = isLast && isChunked ? `${LAST_CHUNK}${trailers}\r\n` : '';
    const lead = this.#lead;
    this.#lead = '';
    writePiece(this.#wire, lead, buffer, start, end, isChunked, tail);
  }

  endTunnel(): void {
    this.#wire.end();
  }

  get isCongested(): boolean {
    return this.#wire.isCongested;
  }
}
