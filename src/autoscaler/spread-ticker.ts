// Runs many periodic jobs from one timer, spread over the period: an item is due once per period,
// the first time a whole period after it was added (AS-96), and items added at different times stay
// apart instead of falling due together. The timer runs only while there are items.

import type { Clock, TimerHandle } from '../clock/clock.ts';

const SLOTS = 20;

interface Entry<T> {
  item: T;
  slot: number;
  /** The slot comes round once before a whole period has passed. */
  isNew: boolean;
}

export class SpreadTicker<T> {
  readonly #clock: Clock;
  readonly #slotMs: number;
  readonly #run: (items: T[]) => void;
  readonly #slots: Set<Entry<T>>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #entries = new Map<T, Entry<T>>();
  #count = 0;
  #timer: TimerHandle | null = null;

  /** `run` gets everything that falls due at once; it must not throw. */
  constructor(clock: Clock, periodMs: number, run: (items: T[]) => void) {
    this.#clock = clock;
    this.#slotMs = periodMs / SLOTS;
    this.#run = run;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `dueInMs`: less than a period until the item is due first; absent = a whole period. */
  add(item: T, dueInMs?: number): void {
    if (this.#entries.has(item)) return;
    this.#timer ??= this.#clock.setTicker(this.#slotMs, () => this.#tick(), { background: true });
    const slots = dueInMs === undefined ? 1 : Math.max(1, Math.ceil(dueInMs / this.#slotMs));
    const entry = { item, slot: (this.#count + slots) % SLOTS, isNew: dueInMs === undefined };
    this.#entries.set(item, entry);
    this.#slots[entry.slot]!.add(entry);
  }

  remove(item: T): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    this.#entries.delete(item);
    this.#slots[entry.slot]!.delete(entry);
    if (this.#entries.size === 0) this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #tick(): void {
    this.#count += 1;
    const due: T[] = [];
    for (const entry of this.#slots[this.#count % SLOTS]!) {
      if (entry.isNew) entry.isNew = false;
      else due.push(entry.item);
    }
    if (due.length > 0) this.#run(due);
  }
}
