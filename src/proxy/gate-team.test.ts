// One gate, several threads: every interleaving of small programs at the level of single atomic
// accesses, long random histories with wakes delivered late, and real threads on the same cells.

import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, Gate, type GateWaiter, WaiterState } from './gate.ts';
import { loadSteppedGate } from './testing/gate-stepper.ts';
import { explore, type Operation } from './testing/interleavings.ts';

const gates = loadSteppedGate();
/** Thread 0 runs one, thread 1 waits, or thread 0 waits as well. */
const SET_UPS: (readonly [number, Operation])[][] = [
  [],
  [[0, 'acquire']],
  [
    [0, 'acquire'],
    [1, 'acquire'],
  ],
  [
    [1, 'acquire'],
    [0, 'acquire'],
    [0, 'acquire'],
  ],
];
const OPERATIONS: readonly Operation[] = [
  'acquire',
  'cancel',
  'release',
  { resize: 1 },
  { resize: 2 },
];

describe('gate shared by threads, every interleaving', () => {
  it('QP-31: two threads, one or two operations each: nothing lost, nobody forgotten, order kept', () => {
    const pairs: Operation[][] = [
      ['acquire', 'cancel'],
      ['acquire', 'release'],
      ['release', 'acquire'],
      [{ resize: 0 }, { resize: 1 }],
    ];
    const scenarios: Operation[][][] = [];
    for (const first of OPERATIONS) {
      for (const second of OPERATIONS) scenarios.push([[first], [second]]);
    }
    for (const pair of pairs) scenarios.push([pair, ['release']], [pair, ['acquire']]);
    for (const setUp of SET_UPS) {
      for (const programs of scenarios) {
        explore({ limit: 1, waitLimit: 2, setUp, programs, arrivals: [100, 0] }, gates);
      }
    }
    expect(scenarios.length).toBe(33);
  });

  it.each<{
    name: string;
    waitLimit: number;
    setUp: (readonly [number, Operation])[];
    programs: Operation[][];
  }>([
    {
      name: 'a slot freed while its waiter leaves and a third thread arrives',
      waitLimit: 1,
      setUp: [
        [0, 'acquire'],
        [1, 'acquire'],
      ],
      programs: [['release'], ['cancel'], ['acquire']],
    },
    {
      name: 'two newcomers and one place when the slot becomes free',
      waitLimit: 1,
      setUp: [[0, 'acquire']],
      programs: [['release'], ['acquire'], ['acquire']],
    },
    {
      name: 'a slot freed and two waiters leaving',
      waitLimit: 2,
      setUp: [
        [0, 'acquire'],
        [1, 'acquire'],
        [2, 'acquire'],
      ],
      programs: [['release'], ['cancel'], ['cancel']],
    },
  ])('QP-27, QP-31: three threads: $name', ({ waitLimit, setUp, programs }) => {
    const scenario = { limit: 1, waitLimit, setUp, programs, arrivals: [100, 0, 50] };
    expect(explore(scenario, gates).states).toBeGreaterThan(100);
  });
});

class TeamWaiter implements GateWaiter {
  gateNext: GateWaiter | null = null;
  gatePrevious: GateWaiter | null = null;
  gateState: number = WaiterState.IDLE;
  readonly arrivedAtMs: number;
  readonly #onAdmit: () => void;

  constructor(arrivedAtMs: number, onAdmit: () => void) {
    this.arrivedAtMs = arrivedAtMs;
    this.#onAdmit = onAdmit;
  }

  onGateAdmit(): void {
    this.#onAdmit();
  }
}

/** Threads of one test thread: wakes are delivered when the test says so. */
function team(threads: number, limit: number, waitLimit: number) {
  const mail = new Set<number>();
  const wake = (thread: number) => mail.add(thread);
  const first = Gate.create(limit, waitLimit, { thread: 0, threads, wake });
  const gates = [first];
  for (let thread = 1; thread < threads; thread += 1) {
    gates.push(Gate.attach(first.shared, { thread, threads, wake }));
  }
  const deliver = (thread: number): void => {
    if (mail.delete(thread)) gates[thread]!.collect();
  };
  return { gates, mail, deliver };
}

describe('gate shared by threads, whole operations', () => {
  it('a release serves its own thread first, and a waiter that is 20 ms older elsewhere before it', () => {
    for (const [otherMs, expected] of [
      [100, 'own'],
      [80, 'own'],
      [79, 'other'],
      [-(2 ** 31) + 50, 'own'],
    ] as const) {
      const { gates, deliver } = team(2, 1, 10);
      const admitted: string[] = [];
      gates[0]!.tryAcquire();
      gates[0]!.acquire(new TeamWaiter(100, () => admitted.push('own')));
      gates[1]!.acquire(new TeamWaiter(otherMs, () => admitted.push('other')));
      gates[0]!.release();
      deliver(1);
      expect(admitted, String(otherMs)).toEqual([expected]);
    }
  });

  it('QP-31: a newcomer never gets the slot that was promised to a waiter of another thread', () => {
    const { gates, deliver } = team(2, 1, 10);
    const admitted: string[] = [];
    gates[0]!.tryAcquire();
    gates[1]!.acquire(new TeamWaiter(0, () => admitted.push('waiter')));
    gates[0]!.release();
    expect(gates[0]!.acquire(new TeamWaiter(1, () => admitted.push('newcomer')))).toBe(
      Admission.WAITING,
    );
    deliver(1);
    expect(admitted).toEqual(['waiter']);
    gates[1]!.release();
    deliver(0);
    expect(admitted).toEqual(['waiter', 'newcomer']);
  });

  it('wakes coalesce: however many slots a thread is given, one wake is under way to it', () => {
    const wakes: number[] = [];
    const wake = (thread: number) => wakes.push(thread);
    const first = Gate.create(3, 10, { thread: 0, threads: 2, wake });
    const second = Gate.attach(first.shared, { thread: 1, threads: 2, wake });
    let admitted = 0;
    for (let slot = 0; slot < 3; slot += 1) first.tryAcquire();
    for (let id = 0; id < 3; id += 1) {
      second.acquire(
        new TeamWaiter(0, () => {
          admitted += 1;
        }),
      );
    }
    for (let slot = 0; slot < 3; slot += 1) first.release();
    expect(wakes).toEqual([1]);
    second.collect();
    expect(admitted).toBe(3);
  });

  it('QP-27, QP-31: random histories of three threads keep every promise, whenever wakes arrive', () => {
    const operation = fc.record({
      thread: fc.nat(2),
      kind: fc.constantFrom('acquire', 'acquire', 'release', 'cancel', 'mail', 'resize'),
      value: fc.nat(30),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 8 }),
        fc.array(operation, { maxLength: 150 }),
        playHistory,
      ),
      { numRuns: 400 },
    );
  });

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

interface HistoryStep {
  readonly thread: number;
  readonly kind: string;
  readonly value: number;
}

function playHistory(limit: number, waitLimit: number, history: readonly HistoryStep[]): void {
  const { gates, mail, deliver } = team(3, limit, waitLimit);
  const owed = [0, 0, 0];
  const queues: TeamWaiter[][] = [[], [], []];
  const counts = () => [gates[0]!.inFlight, gates[0]!.waiting];
  const take = (thread: number, waiter: TeamWaiter): void => {
    const queue = queues[thread]!;
    expect(queue[0], 'first in, first out').toBe(waiter);
    queue.shift();
    owed[thread]! += 1;
  };
  for (const [nowMs, { thread, kind, value }] of history.entries()) {
    const gate = gates[thread]!;
    const queue = queues[thread]!;
    if (kind === 'acquire') {
      const [inFlight, waiting] = counts();
      const waiter = new TeamWaiter(nowMs, () => take(thread, waiter));
      const result = gate.acquire(waiter);
      const isFull = inFlight! >= gate.limit && waiting! >= waitLimit;
      expect(result === Admission.FULL, 'refused exactly when full').toBe(isFull);
      if (result === Admission.ADMITTED) owed[thread]! += 1;
      if (result === Admission.WAITING) queue.push(waiter);
    } else if (kind === 'release' && owed[thread]! > 0) {
      owed[thread]! -= 1;
      gate.release();
    } else if (kind === 'cancel' && queue.length > 0) {
      const [waiter] = queue.splice(value % queue.length, 1);
      expect(gate.cancel(waiter!)).toBe(true);
    } else if (kind === 'resize') gate.resize(value % 6);
    else if (kind === 'mail') deliver(thread);
    expect(gate.waiting).toBeLessThanOrEqual(waitLimit);
  }
  // Bring everything to its end: nobody may be left behind.
  gates[0]!.resize(Math.max(1, gates[0]!.limit));
  while (mail.size > 0 || owed.some((count) => count > 0)) {
    for (const [thread, gate] of gates.entries()) {
      deliver(thread);
      if (owed[thread]! === 0) continue;
      owed[thread]! -= 1;
      gate.release();
    }
  }
  expect([...counts(), ...queues.map(({ length }) => length)]).toEqual([0, 0, 0, 0, 0]);
}
