// Ways to end a client's connection. A plain close while the client still sends makes its kernel
// throw away the answer it has not read yet; so where more may come we end our side, read on for a
// while and only then close. An answer that cannot be finished ends with a reset, which nobody
// takes for an end. Invariant: what was written before is delivered first, except by reset.

import type { Duplex } from 'node:stream';
import type { Clock, TimerHandle } from '../clock/clock.ts';

/** A stream with the extras TCP and TLS sockets have. */
export type ClientSocket = Duplex & { resetAndDestroy?(): unknown; destroySoon?(): void };

/** How long a client may go on sending once it has been sent everything. */
const LINGER_MS = 2_000;

export class ClientClosing {
  readonly #clock: Clock;
  readonly #socket: ClientSocket;
  #timer: TimerHandle | null = null;
  #isOver = false;

  constructor(clock: Clock, socket: ClientSocket) {
    this.#clock = clock;
    this.#socket = socket;
  }

  /** Closes both directions once everything written is out, however slowly the client reads. */
  finish(): void {
    if (this.#socket.destroySoon !== undefined) this.#socket.destroySoon();
    else this.#socket.end(() => this.#socket.destroy());
  }

  /**
   * Ends our direction; the client may send on, unheard, for LINGER_MS after it was sent
   * everything.
   */
  linger(): void {
    this.#socket.end(() => {
      if (this.#isOver) return;
      const close = (): void => {
        this.#socket.destroy();
      };
      this.#timer = this.#clock.setTimer(LINGER_MS, close, { background: true });
    });
  }

  reset(): void {
    if (this.#socket.resetAndDestroy === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  /** The socket is gone. */
  over(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
