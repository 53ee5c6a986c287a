// A client that sent `Expect: 100-continue` and holds its body back until somebody asks for it.
// Usually the application does; one that never heard of 100 does not, so after a while we ask
// (QP-73). Made only for such requests.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { ClientAnswer } from './exchange-client.ts';
import { CONTINUE } from './forward-rules.ts';

/** How long the application may take to ask for the body. */
const EXPECT_CONTINUE_MS = 1_000;

export class ContinueWait {
  /** The client may still be holding its body back. */
  isPending = true;
  readonly #clock: Clock;
  readonly #answer: ClientAnswer;
  #timer: TimerHandle | null = null;

  constructor(clock: Clock, answer: ClientAnswer) {
    this.#clock = clock;
    this.#answer = answer;
  }

  /** The request is with the application now. */
  start(): void {
    if (!this.isPending || this.#timer !== null) return;
    this.#timer = this.#clock.setTimer(EXPECT_CONTINUE_MS, () => {
      this.isPending = false;
      this.#answer.interim(CONTINUE);
    });
  }

  /** The body is on its way, or nobody will want it any more. */
  settle(): void {
    this.isPending = false;
    this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
