// Runs many periodic jobs from one timer, spread over the period: an item is due once per period,
// the first time a whole period after it was added (AS-96), and items added at different times stay
// apart instead of falling due together. The timer runs only while there are items.

import type { Clock, TimerHandle } from '../clock/clock.ts';

const SLOTS = 20;

/** Arrays rather than sets: a tick walks them, and an item that leaves is replaced by the last. */
interface Slot<T> {
  items: T[];
  /** Added less than a period ago: the slot comes round once without them. */
  fresh: T[];
}

interface Entry<T> {
  slot: Slot<T>;
  list: 'items' | 'fresh';
  index: number;
}

export class SpreadTicker<T> {
  readonly #clock: Clock;
  readonly #slotMs: number;
  readonly #run: (items: T[]) => void;
  readonly #slots: Slot<T>[] = Array.from({ length: SLOTS }, () => ({ items: [], fresh: [] }));
  readonly #entries = new Map<T, Entry<T>>();
  #count = 0;
  #timer: TimerHandle | null = null;

  /** `run` gets everything that falls due at once, as a list of its own; it must not throw. */
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
    const slot = this.#slots[(this.#count + slots) % SLOTS]!;
    const list = dueInMs === undefined ? 'fresh' : 'items';
    this.#entries.set(item, { slot, list, index: slot[list].push(item) - 1 });
  }

  remove(item: T): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    this.#entries.delete(item);
    const list = entry.slot[entry.list];
    const last = list.pop()!;
    if (last !== item) {
      list[entry.index] = last;
      this.#entries.get(last)!.index = entry.index;
    }
    if (this.#entries.size === 0) this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #tick(): void {
    this.#count += 1;
    const slot = this.#slots[this.#count % SLOTS]!;
    const due = slot.items.slice();
    for (const item of slot.fresh) {
      const entry = this.#entries.get(item)!;
      entry.list = 'items';
      entry.index = slot.items.push(item) - 1;
    }
    slot.fresh = [];
    if (due.length > 0) this.#run(due);
  }
}
