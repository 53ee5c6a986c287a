// Admission for one revision or pod: how many requests may run, how many may wait (QP-26 to QP-34).
// The counters are Int32 cells of a SharedArrayBuffer changed by compare-exchange, so several
// threads can share one limit; the waiters themselves are objects of one thread and stay there.
// Invariants: a waiter is admitted or cancelled exactly once; every admission has exactly one
// release; waiters of one thread go first in, first out; a lowered limit never evicts; while
// anybody waits, a slot that becomes free is given to a waiter, in whatever thread it is.
// Hot: runs twice per request. Nothing is allocated after construction.
//
//   Int32 index   0 .. 15      16 .. 31     32 .. 47    48 .. 63     64 .. 79    80 ..
//                 limit        in flight    waiting     wait limit   version     gate-team.ts
//   Cells are 64 bytes apart so that threads do not share a cache line. limit, wait limit and
//   version are written by `resize` only; in flight and waiting by every thread.
//
//   With several threads the order is: who queues counts itself as waiting, then shows its waiter,
//   then looks for a free slot; who frees a slot frees it, then looks for waiters. One of the two
//   sees the other. A moving waiter leaves `waiting` after its slot is in `in flight`, so the sum
//   never shows room that is not there.

import {
  cellCountFor,
  FIRST_SEAT,
  type GateSeat,
  GateTeam,
  MAX_GATE_THREADS,
  NOBODY,
} from './gate-team.ts';

const LIMIT = 0;
const IN_FLIGHT = 16;
const WAITING = 32;
const WAIT_LIMIT = 48;
const VERSION = 64;

const RELEASED_TOO_OFTEN = 'gate released more often than acquired';

/** Largest limit and wait limit (QP-32). */
export const MAX_GATE_LIMIT = 2147483647;

/** What `acquire` decided; small integers, compared per request. */
export const Admission = {
  /** The caller runs now and owes one `release`. */
  ADMITTED: 0,
  /** The waiter is queued; `onGateAdmit` or `cancel` ends that. */
  WAITING: 1,
  /** The queue is full; nothing was taken. */
  FULL: 2,
} as const;
export type Admission = (typeof Admission)[keyof typeof Admission];

/** Values of `GateWaiter.gateState`. */
export const WaiterState = {
  IDLE: 0,
  QUEUED: 1,
  ADMITTED: 2,
  /** Queued, and `acquire` has not returned yet. */
  ENTERING: 3,
} as const;

/** One request; the fields belong to the gate. Start with null, null, WaiterState.IDLE. */
export interface GateWaiter {
  gateNext: GateWaiter | null;
  gatePrevious: GateWaiter | null;
  gateState: number;
  /** Whole milliseconds, on a scale that all threads of the gate share. */
  readonly arrivedAtMs: number;
  /** The waiter runs from now on and owes one `release`. May call any method of the gate. */
  onGateAdmit(): void;
}

export class Gate {
  /** Hand this to another thread's `Gate.attach`. */
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;
  /** Null when one thread uses the gate. */
  readonly #team: GateTeam | null;
  #head: GateWaiter | null = null;
  #tail: GateWaiter | null = null;
  #pumping = false;
  /** Slots in our hand, counted as in flight, to be passed on by the loop that is pumping. */
  #held = 0;
  /** Waiters cancelled when their slot was already under way from another thread. */
  #debts = 0;

  private constructor(shared: SharedArrayBuffer, seat: GateSeat | null) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
    this.#team = seat === null ? null : new GateTeam(this.#cells, seat);
  }

  /**
   * `limit` 0 to 2147483647: requests running at once, 0 = everybody waits. `waitLimit` 1 to
   * 2147483647: requests waiting at most. `seat`: this thread's, when it shares the gate. Throws
   * RangeError outside of these (QP-32).
   */
  static create(limit: number, waitLimit: number, seat: GateSeat | null = null): Gate {
    assertCount('limit', limit, 0);
    assertCount('waitLimit', waitLimit, 1);
    const cellCount = seat === null ? FIRST_SEAT : cellCountFor(checkedThreads(seat));
    const shared = new SharedArrayBuffer(cellCount * Int32Array.BYTES_PER_ELEMENT);
    const gate = new Gate(shared, seat);
    Atomics.store(gate.#cells, LIMIT, limit);
    Atomics.store(gate.#cells, WAIT_LIMIT, waitLimit);
    return gate;
  }

  /** This thread's view of a gate created elsewhere with a seat. */
  static attach(shared: SharedArrayBuffer, seat: GateSeat): Gate {
    return new Gate(shared, seat);
  }

  /** Requests running. May exceed `limit` for a while after `resize` lowered it. */
  get inFlight(): number {
    return Atomics.load(this.#cells, IN_FLIGHT);
  }

  /** Requests waiting, in all threads. */
  get waiting(): number {
    return Atomics.load(this.#cells, WAITING);
  }

  get limit(): number {
    return Atomics.load(this.#cells, LIMIT);
  }

  get waitLimit(): number {
    return Atomics.load(this.#cells, WAIT_LIMIT);
  }

  /** Grows by one with each `resize`; wraps. */
  get version(): number {
    return Atomics.load(this.#cells, VERSION);
  }

  /** Reserves without waiting (QP-33). True: the caller owes one `release`. */
  tryAcquire(): boolean {
    const cells = this.#cells;
    let seen = Atomics.load(cells, IN_FLIGHT);
    // A limit lowered between the two reads counts as lowered after this admission.
    while (seen < Atomics.load(cells, LIMIT)) {
      const found = Atomics.compareExchange(cells, IN_FLIGHT, seen, seen + 1);
      if (found === seen) return true;
      seen = found;
    }
    return false;
  }

  /** Runs now, waits in line, or is refused; a newcomer never overtakes a waiter of its thread. */
  acquire(waiter: GateWaiter): Admission {
    if (waiter.gateState === WaiterState.QUEUED) throw new Error('gate waiter is already queued');
    if (this.#head === null && this.tryAcquire()) {
      waiter.gateState = WaiterState.ADMITTED;
      return Admission.ADMITTED;
    }
    if (!this.#takeWaitingPlace()) {
      return this.#team === null ? Admission.FULL : this.#insist(waiter);
    }
    return this.#enqueue(waiter);
  }

  /** Leaves the queue. False if the waiter is not in it, so also if it was admitted meanwhile. */
  cancel(waiter: GateWaiter): boolean {
    if (waiter.gateState !== WaiterState.QUEUED) return false;
    this.#unlink(waiter);
    waiter.gateState = WaiterState.IDLE;
    const team = this.#team;
    // Every waiter left in the queue may have a slot coming: then one of them is for nobody.
    if (team === null || team.claim(team.self)) Atomics.sub(this.#cells, WAITING, 1);
    else this.#debts += 1;
    return true;
  }

  /** Ends one admission and admits the next waiter. Throws when nothing is running (QP-32). */
  release(): void {
    const cells = this.#cells;
    if (this.#team !== null && Atomics.load(cells, WAITING) !== 0) {
      if (Atomics.load(cells, IN_FLIGHT) <= 0) throw new Error(RELEASED_TOO_OFTEN);
      this.#passOn();
      return;
    }
    if (Atomics.sub(cells, IN_FLIGHT, 1) <= 0) {
      Atomics.add(cells, IN_FLIGHT, 1);
      throw new Error(RELEASED_TOO_OFTEN);
    }
    if (Atomics.load(cells, WAITING) !== 0) this.#admitWaiters();
  }

  /** Changes the limit, 0 to 2147483647. Growing admits waiters; shrinking never evicts (QP-32). */
  resize(limit: number): void {
    assertCount('limit', limit, 0);
    Atomics.store(this.#cells, LIMIT, limit);
    Atomics.add(this.#cells, VERSION, 1);
    this.#admitWaiters();
  }

  /** Admits the waiters other threads have given a slot to; called on a wake from one of them. */
  collect(): void {
    const team = this.#team;
    if (team === null) return;
    for (let granted = team.collect(); granted > 0; granted -= 1) {
      if (this.#debts === 0) {
        this.#admitHead();
        continue;
      }
      this.#debts -= 1;
      this.#passOn();
    }
  }

  /** Gives free slots to waiters, our own first. */
  #admitWaiters(): void {
    if (this.#team !== null) {
      while (this.#choose() !== NOBODY && this.tryAcquire()) this.#passOn();
      return;
    }
    // A callback may release or resize; the outer loop then goes on instead of nesting per waiter.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#head !== null && this.tryAcquire()) {
        Atomics.sub(this.#cells, WAITING, 1);
        this.#admitHead();
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** A full queue is a refusal only if no slot was free either while it was full (QP-27). */
  #insist(waiter: GateWaiter): Admission {
    for (;;) {
      const hasSlot = this.tryAcquire();
      if (hasSlot && this.#head === null) {
        waiter.gateState = WaiterState.ADMITTED;
        return Admission.ADMITTED;
      }
      // Ours to give, but waiters of this thread go first; that makes room in the queue.
      if (hasSlot) this.#passOn();
      if (this.#takeWaitingPlace()) return this.#enqueue(waiter);
      if (!hasSlot) return Admission.FULL;
    }
  }

  /** The waiter has its place in the count. */
  #enqueue(waiter: GateWaiter): Admission {
    this.#append(waiter);
    if (this.#team === null) return Admission.WAITING;
    waiter.gateState = WaiterState.ENTERING;
    this.#team.offer();
    if (this.tryAcquire()) this.#passOn();
    if ((waiter.gateState as number) === WaiterState.ADMITTED) return Admission.ADMITTED;
    waiter.gateState = WaiterState.QUEUED;
    return Admission.WAITING;
  }

  /** Takes a slot that is counted as in flight and finds out who gets it. */
  #passOn(): void {
    this.#held += 1;
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#held > 0) {
        this.#held -= 1;
        this.#passOne();
      }
    } finally {
      this.#pumping = false;
    }
  }

  #passOne(): void {
    const cells = this.#cells;
    while (!this.#handOver()) {
      Atomics.sub(cells, IN_FLIGHT, 1);
      if (Atomics.load(cells, WAITING) === 0) return;
      if (this.#choose() === NOBODY || !this.tryAcquire()) return;
    }
  }

  /** Gives one slot to a waiter; false when there is none, or when the limit was lowered. */
  #handOver(): boolean {
    const team = this.#team!;
    for (;;) {
      if (Atomics.load(this.#cells, IN_FLIGHT) > Atomics.load(this.#cells, LIMIT)) return false;
      const chosen = this.#choose();
      if (chosen === NOBODY) return false;
      if (!team.claim(chosen)) continue;
      Atomics.sub(this.#cells, WAITING, 1);
      if (chosen === team.self) this.#admitHead();
      else team.grant(chosen);
      return true;
    }
  }

  #choose(): number {
    return this.#team!.choose(this.#head === null ? Number.NaN : this.#head.arrivedAtMs);
  }

  #admitHead(): void {
    const waiter = this.#head;
    if (waiter === null) throw new Error('gate slot for a waiter that does not exist');
    this.#unlink(waiter);
    const isEntering = waiter.gateState === WaiterState.ENTERING;
    waiter.gateState = WaiterState.ADMITTED;
    if (!isEntering) waiter.onGateAdmit();
  }

  #takeWaitingPlace(): boolean {
    const cells = this.#cells;
    const waitLimit = Atomics.load(cells, WAIT_LIMIT);
    let seen = Atomics.load(cells, WAITING);
    while (seen < waitLimit) {
      const found = Atomics.compareExchange(cells, WAITING, seen, seen + 1);
      if (found === seen) return true;
      seen = found;
    }
    return false;
  }

  #append(waiter: GateWaiter): void {
    waiter.gateState = WaiterState.QUEUED;
    waiter.gatePrevious = this.#tail;
    waiter.gateNext = null;
    if (this.#tail === null) this.#setHead(waiter);
    else this.#tail.gateNext = waiter;
    this.#tail = waiter;
  }

  #unlink(waiter: GateWaiter): void {
    if (waiter.gatePrevious === null) this.#setHead(waiter.gateNext);
    else waiter.gatePrevious.gateNext = waiter.gateNext;
    if (waiter.gateNext === null) this.#tail = waiter.gatePrevious;
    else waiter.gateNext.gatePrevious = waiter.gatePrevious;
    waiter.gateNext = null;
    waiter.gatePrevious = null;
  }

  #setHead(waiter: GateWaiter | null): void {
    this.#head = waiter;
    if (this.#team !== null && waiter !== null) this.#team.showOldest(waiter.arrivedAtMs);
  }
}

function checkedThreads({ thread, threads }: GateSeat): number {
  if (threads >= 1 && threads <= MAX_GATE_THREADS && thread >= 0 && thread < threads)
    return threads;
  throw new RangeError(`gate seat ${thread} of ${threads}`);
}

function assertCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least || value > MAX_GATE_LIMIT) {
    throw new RangeError(`gate ${name} must be an integer of ${least} to ${MAX_GATE_LIMIT}`);
  }
}
