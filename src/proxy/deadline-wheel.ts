// Deadlines of many requests on one coarse timer. Each request is an entry in the list of the tick
// at which it has to be looked at next; looking at it either fires it or moves it on to the tick of
// the deadline it has by then. So a deadline is moved LATER by writing `deadlineMs` and nothing
// else; to move it EARLIER, remove and add. Entries fire late by less than one tick plus the event
// loop's delay, never early. The ticker runs only while there are entries.
// Hot: add and remove run once per request, in constant time, without allocating.
//
//   slot = tick number mod slot count         tick 40 ──► entry ⇄ entry ⇄ entry
//   deadlines beyond the wheel's span sit     tick 41 ──► entry
//   in its last slot and are re-filed there   tick 42 ──►

import type { Clock, TimerHandle } from '../clock/clock.ts';

/** One waiting deadline; the `wheel…` fields belong to the wheel. Start with null, null, -1. */
export interface DeadlineEntry {
  wheelNext: DeadlineEntry | null;
  wheelPrevious: DeadlineEntry | null;
  /** Index of the list it is in, -1 = in none. */
  wheelSlot: number;
  /** Monotonic milliseconds from which `onDeadline` is due. Whole numbers are cheapest. */
  deadlineMs: number;
  /** The entry has left the wheel; it may add itself again. */
  onDeadline(nowMs: number): void;
}

export interface DeadlineWheelOptions {
  /** Granularity in ms, > 0. */
  tickMs: number;
  /** Number of lists, >= 2; `tickMs * slotCount` is how far ahead an entry is filed exactly. */
  slotCount: number;
}

/** Fits timeouts of whole seconds: 25 ms late at most, re-filed every 25 s. */
const DEFAULT_OPTIONS: DeadlineWheelOptions = { tickMs: 25, slotCount: 1024 };

export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #slots: (DeadlineEntry | null)[];
  #ticker: TimerHandle | null = null;
  /** Number of the last tick whose list was looked at. */
  #tick = 0;
  #size = 0;

  constructor(clock: Clock, options: DeadlineWheelOptions = DEFAULT_OPTIONS) {
    if (!(options.tickMs > 0) || !(options.slotCount >= 2)) {
      throw new RangeError('deadline wheel needs tickMs > 0 and slotCount >= 2');
    }
    this.#clock = clock;
    this.#tickMs = options.tickMs;
    this.#slots = new Array<DeadlineEntry | null>(options.slotCount).fill(null);
  }

  /** Entries waiting. */
  get size(): number {
    return this.#size;
  }

  /** Files an entry that is in no list. `nowMs` is the caller's reading of the monotonic clock. */
  add(entry: DeadlineEntry, nowMs: number): void {
    if (entry.wheelSlot !== -1) throw new Error('deadline entry is already in a wheel');
    if (this.#ticker === null) this.#start(nowMs);
    this.#file(entry);
    this.#size += 1;
  }

  /** Takes an entry out; does nothing when it is in no list. */
  remove(entry: DeadlineEntry): void {
    if (entry.wheelSlot === -1) return;
    this.#unlink(entry);
    this.#size -= 1;
  }

  /** Stops the ticker; entries still inside never fire. */
  stop(): void {
    this.#ticker?.cancel();
    this.#ticker = null;
  }

  #start(nowMs: number): void {
    this.#tick = Math.floor(nowMs / this.#tickMs);
    this.#ticker = this.#clock.setTicker(this.#tickMs, () => this.#advance(), {
      background: true,
    });
  }

  #advance(): void {
    // Stopping here and not in `remove` keeps a busy proxy from starting a ticker per request.
    if (this.#size === 0) {
      this.stop();
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    const target = Math.floor(nowMs / this.#tickMs);
    // After a stall longer than the span, one round over all lists sees every entry.
    if (target - this.#tick > this.#slots.length) this.#tick = target - this.#slots.length;
    while (this.#tick < target) {
      this.#tick += 1;
      this.#sweep(this.#tick % this.#slots.length, nowMs);
    }
  }

  #sweep(slot: number, nowMs: number): void {
    // Re-filing goes to one of the other slots, so this list only shrinks and the loop ends.
    for (let entry = this.#slots[slot]!; entry !== null; entry = this.#slots[slot]!) {
      this.#unlink(entry);
      if (entry.deadlineMs > nowMs) {
        this.#file(entry);
        continue;
      }
      this.#size -= 1;
      entry.onDeadline(nowMs);
    }
  }

  #file(entry: DeadlineEntry): void {
    const due = Math.ceil(entry.deadlineMs / this.#tickMs);
    const ahead = Math.min(Math.max(due - this.#tick, 1), this.#slots.length - 1);
    const slot = (this.#tick + ahead) % this.#slots.length;
    const next = this.#slots[slot]!;
    entry.wheelSlot = slot;
    entry.wheelPrevious = null;
    entry.wheelNext = next;
    if (next !== null) next.wheelPrevious = entry;
    this.#slots[slot] = entry;
  }

  #unlink(entry: DeadlineEntry): void {
    const next = entry.wheelNext;
    const previous = entry.wheelPrevious;
    if (previous === null) this.#slots[entry.wheelSlot] = next;
    else previous.wheelNext = next;
    if (next !== null) next.wheelPrevious = previous;
    entry.wheelNext = null;
    entry.wheelPrevious = null;
    entry.wheelSlot = -1;
  }
}
