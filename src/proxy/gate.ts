// Admission for one revision or pod: how many requests may run, how many may wait (QP-26 to QP-34).
// The counters are Int32 cells of a SharedArrayBuffer changed by compare-exchange, so several
// threads can share one limit; the waiters themselves are objects of one thread and stay there.
// Invariants: a waiter is admitted or cancelled exactly once; every admission has exactly one
// release; waiters of one thread go first in, first out; a lowered limit never evicts.
// Hot: runs twice per request. Nothing is allocated after construction.
//
//   Int32 index   0 .. 15      16 .. 31     32 .. 47    48 .. 63     64 .. 79
//                 limit        in flight    waiting     wait limit   version
//   Cells are 64 bytes apart so that threads do not share a cache line. limit, wait limit and
//   version are written by `resize` only; in flight and waiting by every thread.

const LIMIT = 0;
const IN_FLIGHT = 16;
const WAITING = 32;
const WAIT_LIMIT = 48;
const VERSION = 64;
const CELL_COUNT = 80;

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
export const WaiterState = { IDLE: 0, QUEUED: 1, ADMITTED: 2 } as const;

/** One request; the fields belong to the gate. Start with null, null, WaiterState.IDLE. */
export interface GateWaiter {
  gateNext: GateWaiter | null;
  gatePrevious: GateWaiter | null;
  gateState: number;
  /** The waiter runs from now on and owes one `release`. May call any method of the gate. */
  onGateAdmit(): void;
}

function ignoreWake(): void {
  // A gate used by one thread has nobody else to wake.
}

export class Gate {
  /** Hand this to another thread's `Gate.attach`. */
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #wakeOthers: () => void;
  #head: GateWaiter | null = null;
  #tail: GateWaiter | null = null;
  #pumping = false;

  private constructor(shared: SharedArrayBuffer, wakeOthers: () => void) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
    this.#wakeOthers = wakeOthers;
  }

  /**
   * `limit` 0 to 2147483647: requests running at once, 0 = everybody waits. `waitLimit` 1 to
   * 2147483647: requests waiting at most. Throws RangeError outside of these (QP-32).
   */
  static create(limit: number, waitLimit: number, wakeOthers: () => void = ignoreWake): Gate {
    assertCount('limit', limit, 0);
    assertCount('waitLimit', waitLimit, 1);
    const gate = new Gate(
      new SharedArrayBuffer(CELL_COUNT * Int32Array.BYTES_PER_ELEMENT),
      wakeOthers,
    );
    Atomics.store(gate.#cells, LIMIT, limit);
    Atomics.store(gate.#cells, WAIT_LIMIT, waitLimit);
    return gate;
  }

  /**
   * This thread's view of a gate created elsewhere. `wakeOthers` is called when capacity may be
   * free and only other threads have waiters: coalesce the calls and make each other thread call
   * `admitWaiters`.
   */
  static attach(shared: SharedArrayBuffer, wakeOthers: () => void): Gate {
    return new Gate(shared, wakeOthers);
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
    if (!this.#takeWaitingPlace()) return Admission.FULL;
    // Announced first, tried again second; `release` frees first and looks for waiters second.
    // One of the two sides therefore always sees the other: no wake is lost between threads.
    if (this.#head === null && this.tryAcquire()) {
      Atomics.sub(this.#cells, WAITING, 1);
      waiter.gateState = WaiterState.ADMITTED;
      return Admission.ADMITTED;
    }
    this.#append(waiter);
    return Admission.WAITING;
  }

  /** Leaves the queue. False if the waiter is not in it, so also if it was admitted meanwhile. */
  cancel(waiter: GateWaiter): boolean {
    if (waiter.gateState !== WaiterState.QUEUED) return false;
    this.#unlink(waiter);
    waiter.gateState = WaiterState.IDLE;
    return true;
  }

  /** Ends one admission and admits the next waiter. Throws when nothing is running (QP-32). */
  release(): void {
    if (Atomics.sub(this.#cells, IN_FLIGHT, 1) <= 0) {
      Atomics.add(this.#cells, IN_FLIGHT, 1);
      throw new Error('gate released more often than acquired');
    }
    if (Atomics.load(this.#cells, WAITING) !== 0) this.admitWaiters();
  }

  /** Changes the limit, 0 to 2147483647. Growing admits waiters; shrinking never evicts (QP-32). */
  resize(limit: number): void {
    assertCount('limit', limit, 0);
    Atomics.store(this.#cells, LIMIT, limit);
    Atomics.add(this.#cells, VERSION, 1);
    this.admitWaiters();
  }

  /** Admits this thread's waiters while there is capacity; called on a wake from another thread. */
  admitWaiters(): void {
    // A callback may release or resize; the outer loop then goes on instead of nesting per waiter.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#head !== null && this.tryAcquire()) {
        const waiter = this.#head;
        this.#unlink(waiter);
        waiter.gateState = WaiterState.ADMITTED;
        waiter.onGateAdmit();
      }
    } finally {
      this.#pumping = false;
    }
    if (this.#head === null && Atomics.load(this.#cells, WAITING) !== 0) this.#wakeOthers();
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
    if (this.#tail === null) this.#head = waiter;
    else this.#tail.gateNext = waiter;
    this.#tail = waiter;
  }

  #unlink(waiter: GateWaiter): void {
    if (waiter.gatePrevious === null) this.#head = waiter.gateNext;
    else waiter.gatePrevious.gateNext = waiter.gateNext;
    if (waiter.gateNext === null) this.#tail = waiter.gatePrevious;
    else waiter.gateNext.gatePrevious = waiter.gatePrevious;
    waiter.gateNext = null;
    waiter.gatePrevious = null;
    Atomics.sub(this.#cells, WAITING, 1);
  }
}

function assertCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least || value > MAX_GATE_LIMIT) {
    throw new RangeError(`gate ${name} must be an integer of ${least} to ${MAX_GATE_LIMIT}`);
  }
}
