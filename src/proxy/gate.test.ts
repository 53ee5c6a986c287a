// The gate against a naive model: every short sequence of operations exhaustively, long ones at
// random, and two threads' views of one gate preempting each other at every atomic access.

import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Admission, Gate, type GateWaiter, WaiterState } from './gate.ts';

class TestWaiter implements GateWaiter {
  gateNext: GateWaiter | null = null;
  gatePrevious: GateWaiter | null = null;
  gateState: number = WaiterState.IDLE;
  readonly id: number;
  readonly onAdmit: (id: number) => void;

  constructor(id: number, onAdmit: (id: number) => void) {
    this.id = id;
    this.onAdmit = onAdmit;
  }

  onGateAdmit(): void {
    this.onAdmit(this.id);
  }
}

/** The same promises, written as plainly as possible. */
class NaiveGate {
  running = 0;
  queue: number[] = [];
  admitted: number[] = [];
  limit: number;
  readonly waitLimit: number;

  constructor(limit: number, waitLimit: number) {
    this.limit = limit;
    this.waitLimit = waitLimit;
  }

  acquire(id: number): Admission {
    if (this.queue.length === 0 && this.running < this.limit) {
      this.running += 1;
      return Admission.ADMITTED;
    }
    if (this.queue.length >= this.waitLimit) return Admission.FULL;
    this.queue.push(id);
    return Admission.WAITING;
  }

  release(): void {
    this.running -= 1;
    this.#admit();
  }

  resize(limit: number): void {
    this.limit = limit;
    this.#admit();
  }

  cancel(id: number): boolean {
    const index = this.queue.indexOf(id);
    if (index >= 0) this.queue.splice(index, 1);
    return index >= 0;
  }

  #admit(): void {
    while (this.queue.length > 0 && this.running < this.limit) {
      this.running += 1;
      this.admitted.push(this.queue.shift()!);
    }
  }
}

type Operation =
  | { do: 'acquire' }
  | { do: 'try' }
  | { do: 'release' }
  | { do: 'cancel'; index: number }
  | { do: 'resize'; limit: number };

/** Runs one sequence on both and compares everything observable after each step. */
function compare(limit: number, waitLimit: number, operations: readonly Operation[]): void {
  const gate = Gate.create(limit, waitLimit);
  const model = new NaiveGate(limit, waitLimit);
  const waiters: TestWaiter[] = [];
  const admitted: number[] = [];
  for (const operation of operations) {
    apply(operation, gate, model, waiters, admitted);
    const seen = [gate.inFlight, gate.waiting, gate.limit];
    const wanted = [model.running, model.queue.length, model.limit];
    if (String(seen) !== String(wanted) || String(admitted) !== String(model.admitted)) {
      throw new Error(
        `${JSON.stringify(operations)}: gate ${seen} admitted [${admitted}], ` +
          `model ${wanted} admitted [${model.admitted}]`,
      );
    }
  }
}

function apply(
  operation: Operation,
  gate: Gate,
  model: NaiveGate,
  waiters: TestWaiter[],
  admitted: number[],
): void {
  if (operation.do === 'acquire') {
    const waiter = new TestWaiter(waiters.length, (id) => admitted.push(id));
    waiters.push(waiter);
    const wanted = model.acquire(waiter.id);
    if (gate.acquire(waiter) !== wanted) throw new Error(`acquire should have said ${wanted}`);
  } else if (operation.do === 'try') {
    const wanted = model.running < model.limit;
    if (wanted) model.running += 1;
    if (gate.tryAcquire() !== wanted) throw new Error(`tryAcquire should have said ${wanted}`);
  } else if (operation.do === 'release') {
    if (model.running === 0) return;
    model.release();
    gate.release();
  } else if (operation.do === 'cancel') {
    const waiter = waiters[operation.index % Math.max(1, waiters.length)];
    if (waiter === undefined) return;
    const wanted = model.cancel(waiter.id);
    if (gate.cancel(waiter) !== wanted) throw new Error(`cancel should have said ${wanted}`);
  } else {
    model.resize(operation.limit);
    gate.resize(operation.limit);
  }
}

const alphabet: readonly Operation[] = [
  { do: 'acquire' },
  { do: 'try' },
  { do: 'release' },
  { do: 'cancel', index: 0 },
  { do: 'cancel', index: 1 },
  { do: 'resize', limit: 0 },
  { do: 'resize', limit: 1 },
  { do: 'resize', limit: 2 },
];

describe('gate', () => {
  it('QP-28: with one slot and a queue of ten, two to eleven wait and the twelfth is refused', () => {
    const gate = Gate.create(1, 10);
    const admitted: number[] = [];
    const answers = Array.from({ length: 12 }, (_, id) =>
      gate.acquire(new TestWaiter(id, (one) => admitted.push(one))),
    );
    expect(answers).toEqual([
      Admission.ADMITTED,
      ...new Array<Admission>(10).fill(Admission.WAITING),
      Admission.FULL,
    ]);
    for (let left = 10; left > 0; left -= 1) gate.release();
    expect(admitted).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('QP-28: with ten slots a hundred wait and the 111th is refused', () => {
    const gate = Gate.create(10, 100);
    const ignore = () => undefined;
    for (let id = 0; id < 110; id += 1) {
      expect(gate.acquire(new TestWaiter(id, ignore))).not.toBe(Admission.FULL);
    }
    expect(gate.acquire(new TestWaiter(110, ignore))).toBe(Admission.FULL);
    expect([gate.inFlight, gate.waiting]).toEqual([10, 100]);
  });

  it('QP-32: releasing more than was acquired is a programming error and changes nothing', () => {
    const gate = Gate.create(1, 1);
    expect(() => gate.release()).toThrow('released more often');
    expect(gate.inFlight).toBe(0);
    expect(gate.tryAcquire()).toBe(true);
  });

  it.each([
    [-1, 1],
    [1.5, 1],
    [2 ** 31, 1],
    [1, 0],
    [1, 2 ** 31],
  ])('QP-32: limit %d with wait limit %d is refused at construction', (limit, waitLimit) => {
    expect(() => Gate.create(limit, waitLimit)).toThrow(RangeError);
  });

  it('QP-33: a reservation that fails leaves the counters alone', () => {
    const gate = Gate.create(0, 5);
    expect(gate.tryAcquire()).toBe(false);
    expect([gate.inFlight, gate.waiting]).toEqual([0, 0]);
  });

  it('every sequence of six operations behaves like the naive model', () => {
    let sequences = 0;
    const walk = (prefix: Operation[]): void => {
      if (prefix.length === 6) {
        compare(1, 2, prefix);
        sequences += 1;
        return;
      }
      for (const operation of alphabet) walk([...prefix, operation]);
    };
    walk([]);
    expect(sequences).toBe(alphabet.length ** 6);
  });

  it('long random sequences behave like the naive model', () => {
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      { weight: 4, arbitrary: fc.constant<Operation>({ do: 'acquire' }) },
      { weight: 1, arbitrary: fc.constant<Operation>({ do: 'try' }) },
      { weight: 3, arbitrary: fc.constant<Operation>({ do: 'release' }) },
      {
        weight: 2,
        arbitrary: fc.nat(200).map((index): Operation => ({ do: 'cancel', index })),
      },
      { weight: 1, arbitrary: fc.nat(5).map((limit): Operation => ({ do: 'resize', limit })) },
    );
    fc.assert(
      fc.property(
        fc.nat(4),
        fc.integer({ min: 1, max: 12 }),
        fc.array(operation, { maxLength: 200 }),
        (limit, waitLimit, operations) => compare(limit, waitLimit, operations),
      ),
      { numRuns: 500 },
    );
  });

  it('QP-31: waiters whose callback releases at once are all admitted in order, without nesting', () => {
    const gate = Gate.create(1, 100_000);
    const admitted: number[] = [];
    gate.tryAcquire();
    for (let id = 0; id < 100_000; id += 1) {
      gate.acquire(
        new TestWaiter(id, (one) => {
          admitted.push(one);
          gate.release();
        }),
      );
    }
    gate.release();
    expect(admitted.length).toBe(100_000);
    expect(admitted.every((id, index) => id === index)).toBe(true);
    expect([gate.inFlight, gate.waiting]).toEqual([0, 0]);
  });

  it('a callback may cancel another waiter and shrink the gate', () => {
    const gate = Gate.create(0, 10);
    const admitted: number[] = [];
    const second = new TestWaiter(2, (id) => admitted.push(id));
    gate.acquire(
      new TestWaiter(1, (id) => {
        admitted.push(id);
        expect(gate.cancel(second)).toBe(true);
        gate.resize(1);
      }),
    );
    gate.acquire(second);
    gate.acquire(new TestWaiter(3, (id) => admitted.push(id)));
    gate.resize(5);
    expect(admitted).toEqual([1]);
    gate.release();
    expect(admitted).toEqual([1, 3]);
  });
});

describe('gate shared by two threads', () => {
  afterEach(() => vi.restoreAllMocks());

  /** Runs `interrupt` in full just before the `at`-th atomic access that `run` makes. */
  function preempt(at: number, run: () => void, interrupt: () => void): boolean {
    let accesses = 0;
    let interrupted = false;
    const guard = (): void => {
      if (interrupted) return;
      accesses += 1;
      if (accesses !== at) return;
      interrupted = true;
      interrupt();
    };
    for (const name of ['load', 'add', 'sub', 'compareExchange'] as const) {
      const original = Atomics[name] as (...values: unknown[]) => number;
      vi.spyOn(Atomics, name).mockImplementation(((...values: unknown[]) => {
        guard();
        return original(...values);
      }) as never);
    }
    run();
    vi.restoreAllMocks();
    return interrupted;
  }

  interface Side {
    gate: Gate;
    admitted: number;
    owed: number;
    waiters: TestWaiter[];
  }

  /** Two views; a wake is delivered after both sides are done, as a port message would be. */
  function twoSides(limit: number): { sides: [Side, Side]; deliver: () => void } {
    const pending = [false, false];
    const side = (gate: Gate): Side => ({ gate, admitted: 0, owed: 0, waiters: [] });
    const first = Gate.create(limit, 10, () => {
      pending[1] = true;
    });
    const second = Gate.attach(first.shared, () => {
      pending[0] = true;
    });
    const sides: [Side, Side] = [side(first), side(second)];
    const deliver = (): void => {
      for (let round = 0; round < 20 && (pending[0] || pending[1]); round += 1) {
        for (const [index, one] of sides.entries()) {
          if (!pending[index]) continue;
          pending[index] = false;
          one.gate.admitWaiters();
        }
      }
    };
    return { sides, deliver };
  }

  const steps: Record<string, (side: Side) => void> = {
    acquire: (side) => {
      const waiter = new TestWaiter(side.waiters.length, () => {
        side.owed += 1;
      });
      side.waiters.push(waiter);
      if (side.gate.acquire(waiter) === Admission.ADMITTED) side.owed += 1;
    },
    release: (side) => {
      if (side.owed === 0) return;
      side.owed -= 1;
      side.gate.release();
    },
    cancel: (side) => {
      side.gate.cancel(side.waiters.at(-1)!);
    },
    grow: (side) => side.gate.resize(2),
    shrink: (side) => side.gate.resize(1),
  };

  it('loses no wake and admits no one too many, whatever access the other thread cuts into', () => {
    let cases = 0;
    for (const [firstName, firstStep] of Object.entries(steps)) {
      for (const [secondName, secondStep] of Object.entries(steps)) {
        for (const start of [[], ['acquire'], ['acquire', 'acquire']]) {
          for (let at = 1; ; at += 1) {
            const { sides, deliver } = twoSides(1);
            const [first, second] = sides;
            steps.acquire!(first);
            for (const name of start) steps[name]!(second);
            // Cancel needs somebody to cancel.
            if (second.waiters.length === 0) steps.acquire!(second);
            const reached = preempt(
              at,
              () => firstStep(first),
              () => secondStep(second),
            );
            if (!reached) break;
            deliver();
            settle(sides, deliver, `${firstName} cut at ${at} by ${secondName}`);
            cases += 1;
          }
        }
      }
    }
    expect(cases).toBeGreaterThan(100);
  });

  function settle(sides: readonly Side[], deliver: () => void, title: string): void {
    const gate = sides[0]!.gate;
    // Every running request ends; in the end everybody queued must have run.
    for (let round = 0; round < 20; round += 1) {
      expect(gate.inFlight, title).toBe(sides[0]!.owed + sides[1]!.owed);
      expect(gate.inFlight, title).toBeLessThanOrEqual(2);
      for (const side of sides) if (side.owed > 0) steps.release!(side);
      deliver();
    }
    expect([gate.inFlight, gate.waiting], title).toEqual([0, 0]);
    for (const side of sides) {
      for (const waiter of side.waiters) {
        expect(waiter.gateState, title).not.toBe(WaiterState.QUEUED);
      }
    }
  }

  it('never lets more than the limit in when real threads hammer the same cells', async () => {
    const gate = Gate.create(3, 1);
    // A worker in plain JavaScript doing what tryAcquire and release do, and watching the limit.
    const source = `
      const { workerData, parentPort } = require('node:worker_threads');
      const cells = new Int32Array(workerData);
      let worst = 0;
      for (let round = 0; round < 200000; round += 1) {
        let seen = Atomics.load(cells, 16);
        let got = false;
        while (seen < Atomics.load(cells, 0)) {
          const found = Atomics.compareExchange(cells, 16, seen, seen + 1);
          if (found === seen) { got = true; break; }
          seen = found;
        }
        if (!got) continue;
        worst = Math.max(worst, Atomics.load(cells, 16));
        Atomics.sub(cells, 16, 1);
      }
      parentPort.postMessage(worst);
    `;
    const workers = [0, 1].map(() => new Worker(source, { eval: true, workerData: gate.shared }));
    const results = Promise.all(
      workers.map((worker) => new Promise<number>((resolve) => worker.once('message', resolve))),
    );
    let worst = 0;
    for (let round = 0; round < 200_000; round += 1) {
      if (!gate.tryAcquire()) continue;
      worst = Math.max(worst, gate.inFlight);
      gate.release();
    }
    worst = Math.max(worst, ...(await results));
    expect(worst).toBeLessThanOrEqual(3);
    expect(gate.inFlight).toBe(0);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});
