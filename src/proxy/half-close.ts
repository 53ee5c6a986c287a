// A client's FIN after its request has two meanings: "no more requests, I am waiting for the
// answer", or "I am gone". A client that half-closes does so together with its request, one that
// leaves does so later. In between they look alike; then we send a 100, which a client that still
// reads skips, and which the kernel of one that is gone answers with a reset. Reads end with the
// FIN, so only a second write shows that reset. Made only for half-closed clients whose answer is
// not there yet.

import type { Writable } from 'node:stream';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { CONTINUE } from './forward-rules.ts';

/** An end this soon after the request is a half-close; later it means the client left. */
const GRACE_MS = 50;
const FIRST_PROBE_MS = 100;
const SECOND_PROBE_MS = 150;

/** A request whose answer is not there yet. */
interface Waiting {
  /** Monotonic time at which its last part arrived. */
  readonly receivedMs: number;
  readonly responseStarted: boolean;
  readonly minorVersion: number;
}

export class HalfClose {
  readonly #clock: Clock;
  readonly #socket: Writable;
  readonly #exchange: Waiting;
  #timer: TimerHandle | null = null;

  /** Null when the client left. */
  static judge(clock: Clock, socket: Writable, exchange: Waiting): HalfClose | null {
    const sinceMs = clock.monotonicMs() - exchange.receivedMs;
    return sinceMs > GRACE_MS ? null : new HalfClose(clock, socket, exchange);
  }

  /** For an end that came behind bytes not read yet, however long ago that was. */
  static ask(clock: Clock, socket: Writable, exchange: Waiting): HalfClose {
    return new HalfClose(clock, socket, exchange);
  }

  private constructor(clock: Clock, socket: Writable, exchange: Waiting) {
    this.#clock = clock;
    this.#socket = socket;
    this.#exchange = exchange;
    // A 1.0 client does not know interim answers.
    if (exchange.minorVersion === 0) return;
    this.#timer = clock.setTimer(FIRST_PROBE_MS, () => {
      if (this.#probe()) this.#timer = this.#clock.setTimer(SECOND_PROBE_MS, () => this.#probe());
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #probe(): boolean {
    if (this.#exchange.responseStarted) return false;
    this.#socket.write(CONTINUE, 'latin1');
    return true;
  }
}
