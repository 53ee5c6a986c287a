// A client that sent `expect: 100-continue` on HTTP/2 and holds its body back until asked for it.
// An application that never asks is helped out after a while, as on HTTP/1.1 (QP-73). Made only for
// such requests.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { ServerStream } from './h2/stream.ts';

/** How long the application may take to ask for the body. */
const EXPECT_CONTINUE_MS = 1_000;

const CONTINUE_FIELDS: readonly string[] = [':status', '100'];

export class Http2Continue {
  readonly #clock: Clock;
  readonly #stream: ServerStream;
  #isPending = true;
  #timer: TimerHandle | null = null;

  constructor(clock: Clock, stream: ServerStream) {
    this.#clock = clock;
    this.#stream = stream;
  }

  /** The request is with the application now. */
  start(): void {
    if (!this.#isPending || this.#timer !== null) return;
    this.#timer = this.#clock.setTimer(EXPECT_CONTINUE_MS, () => {
      this.#isPending = false;
      this.#stream.interim(CONTINUE_FIELDS);
    });
  }

  /** Somebody asked, the body is on its way, or nobody will want it any more. */
  settle(): void {
    this.#isPending = false;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
