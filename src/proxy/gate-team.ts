// The threads that share one gate: what each of them shows the others about its queue, and how a
// slot travels from one thread to another. A waiter is an object of its own thread, so a slot for
// it is promised here: one waiter is claimed, one grant is added, and the owner is woken to
// collect it. Invariant, per thread: waiters in its queue + its debts = claimable + grants +
// grants under way. Only gate.ts calls this; warm: nothing here runs for a request that does not
// have to wait.
//
//   Int32 index, from 80 + 64 * thread, 64 bytes apart:
//     +0 claimable    waiters nobody has promised a slot; added to by the owner, taken by everybody
//     +16 grants      promised slots; added to by everybody, collected by the owner
//     +32 oldest      when the owner's first waiter arrived, ms; written by the owner only
//     +48 mail        1 while a wake is under way to the owner; set by everybody, cleared by it
//   Order: `oldest` is written before `claimable` grows; a grant is added before `mail` is read,
//   and the owner clears `mail` before it collects, so no grant is left behind without a wake.

/** Where the cells of the first thread begin; below are the gate's own. */
export const FIRST_SEAT = 80;
const SEAT_CELLS = 64;
const GRANTS = 16;
const OLDEST = 32;
const MAIL = 48;

/** Another thread goes first when its oldest waiter has waited this much longer than our own. */
const ELDER_MS = 20;
/** `choose` found no waiter. */
export const NOBODY = -1;

/** Most threads that can share a gate; a team of more is refused at creation. */
export const MAX_GATE_THREADS = 16;

/** One thread's place in the team. */
export interface GateSeat {
  /** 0 to `threads` - 1, different in each thread. */
  readonly thread: number;
  readonly threads: number;
  /** Makes that thread call `Gate.collect` soon. Called once until it has. */
  readonly wake: (thread: number) => void;
}

export function cellCountFor(threads: number): number {
  return FIRST_SEAT + threads * SEAT_CELLS;
}

export class GateTeam {
  readonly self: number;
  readonly #threads: number;
  readonly #cells: Int32Array;
  readonly #wake: (thread: number) => void;

  constructor(cells: Int32Array, seat: GateSeat) {
    this.#cells = cells;
    this.self = seat.thread;
    this.#threads = seat.threads;
    this.#wake = seat.wake;
  }

  /** Our first waiter is now one that arrived at `arrivedAtMs`. */
  showOldest(arrivedAtMs: number): void {
    Atomics.store(this.#cells, seatOf(this.self) + OLDEST, arrivedAtMs);
  }

  /** One more waiter of ours may be promised a slot, from now on by any thread. */
  offer(): void {
    Atomics.add(this.#cells, seatOf(this.self), 1);
  }

  /** Takes one waiter of `thread` out of what can be claimed; the claimer owes it a slot. */
  claim(thread: number): boolean {
    const cell = seatOf(thread);
    let seen = Atomics.load(this.#cells, cell);
    while (seen > 0) {
      const found = Atomics.compareExchange(this.#cells, cell, seen, seen - 1);
      if (found === seen) return true;
      seen = found;
    }
    return false;
  }

  /** Hands the slot to a thread whose waiter was claimed. */
  grant(thread: number): void {
    Atomics.add(this.#cells, seatOf(thread) + GRANTS, 1);
    if (Atomics.exchange(this.#cells, seatOf(thread) + MAIL, 1) === 0) this.#wake(thread);
  }

  /** Slots other threads have promised us since the last call. */
  collect(): number {
    Atomics.store(this.#cells, seatOf(this.self) + MAIL, 0);
    return Atomics.exchange(this.#cells, seatOf(this.self) + GRANTS, 0);
  }

  /**
   * The thread whose waiter gets the next slot: ours, unless there is none or another has waited
   * longer by more than ELDER_MS. `ownSinceMs`: arrival of our own first waiter, NaN without one.
   */
  choose(ownSinceMs: number): number {
    const cells = this.#cells;
    const hasOwn = !Number.isNaN(ownSinceMs) && Atomics.load(cells, seatOf(this.self)) > 0;
    let chosen = hasOwn ? this.self : NOBODY;
    let oldestMs = hasOwn ? (ownSinceMs - ELDER_MS) | 0 : 0;
    for (let thread = 0; thread < this.#threads; thread += 1) {
      if (thread === this.self || Atomics.load(cells, seatOf(thread)) <= 0) continue;
      const sinceMs = Atomics.load(cells, seatOf(thread) + OLDEST);
      // The difference, because milliseconds in 32 bits wrap every 49 days.
      if (chosen !== NOBODY && ((sinceMs - oldestMs) | 0) >= 0) continue;
      chosen = thread;
      oldestMs = sinceMs;
    }
    return chosen;
  }
}

function seatOf(thread: number): number {
  return FIRST_SEAT + thread * SEAT_CELLS;
}
