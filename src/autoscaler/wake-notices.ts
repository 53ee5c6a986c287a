// Puts together what our activators are told about a wake (wake-notice.ts): when it was decided and
// when the scale was written. One notice per wake, after the write, so nothing of the wake waits
// for it. Bounded: decisions whose scale is never written are forgotten, oldest first.

import type { Clock } from '../clock/clock.ts';
import { encodeWakeNotice } from '../wire/wake-notice.ts';

/** Decided and not yet scaled; the oldest gives way, and its wake goes without a notice. */
const MAX_PENDING_WAKES = 1_000;

export class WakeNotices {
  readonly #clock: Clock;
  readonly #send: (text: string) => void;
  /** Monotonic milliseconds by `namespace/name`. */
  readonly #decidedAtMs = new Map<string, number>();

  constructor(clock: Clock, send: (text: string) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  decided(key: string): void {
    this.#decidedAtMs.delete(key);
    const oldest = this.#decidedAtMs.keys().next();
    if (this.#decidedAtMs.size >= MAX_PENDING_WAKES && oldest.done === false) {
      this.#decidedAtMs.delete(oldest.value);
    }
    this.#decidedAtMs.set(key, this.#clock.monotonicMs());
  }

  /** The scale was written; called right after. */
  scaled(revision: string): void {
    const decidedAtMs = this.#decidedAtMs.get(revision);
    if (decidedAtMs === undefined) return;
    this.#decidedAtMs.delete(revision);
    const decidedAgoMs = this.#clock.monotonicMs() - decidedAtMs;
    this.#send(encodeWakeNotice({ revision, decidedAgoMs, scaledAgoMs: 0 }));
  }
}
