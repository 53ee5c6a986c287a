// The gate against a naive model: every short sequence of operations exhaustively, long ones at
// random. Several threads: gate-team.test.ts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, Gate, type GateWaiter, WaiterState } from './gate.ts';

class TestWaiter implements GateWaiter {
  gateNext: GateWaiter | null = null;
  gatePrevious: GateWaiter | null = null;
  gateState: number = WaiterState.IDLE;
  readonly arrivedAtMs = 0;
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
