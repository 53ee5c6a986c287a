// Runs small programs of several threads against the stepped gate in every order their atomic
// accesses can happen in, and checks the gate's promises in every state. States that were seen
// before are not gone through again: two are the same when the shared cells, what each thread
// remembers, and what each thread has read so far in its current operation are the same, because
// nothing else can influence what happens next.

import { Admission, WaiterState } from '../gate.ts';
import type {
  Access,
  SteppedGate,
  SteppedGateClass,
  SteppedWaiter,
  Steps,
} from './gate-stepper.ts';

/** `cancel`: the thread's last waiter. `release`: one that runs, as soon as one does. */
export type Operation = 'acquire' | 'cancel' | 'release' | { readonly resize: number };

export interface Scenario {
  readonly limit: number;
  readonly waitLimit: number;
  /** Done one after the other before anything overlaps: thread and operation. */
  readonly setUp?: readonly (readonly [thread: number, operation: Operation])[];
  /**
   * Each thread performs its operations in order, overlapping with the others'. When all are done,
   * what still runs is released, one after the other.
   */
  readonly programs: readonly (readonly Operation[])[];
  /** When each thread's waiters arrived, in ms. */
  readonly arrivals: readonly number[];
}

const LIMIT = 0;
const IN_FLIGHT = 16;
const WAITING = 32;
const WAIT_LIMIT = 48;
const FIRST_SEAT = 80;

class Thread {
  readonly waiters: SteppedWaiter[] = [];
  position = 0;
  owed = 0;
  hasMail = false;
  steps: Steps<unknown> | null = null;
  /** The access that comes next. */
  access: Access | null = null;
  /** What the operation under way is and has read. */
  trace = '';
  onDone: ((result: unknown) => void) | null = null;
  /** Whether everything was taken at some moment since the `acquire` under way began. */
  sawFull = false;
  isAcquiring = false;
  lastAdmitted = -1;
  gate!: SteppedGate;
}

class Run {
  readonly schedule: number[] = [];
  readonly #scenario: Scenario;
  readonly #threads: Thread[];
  readonly #cells: Int32Array;
  readonly #highestLimit: number;

  constructor(scenario: Scenario, gates: SteppedGateClass) {
    this.#scenario = scenario;
    this.#threads = scenario.programs.map(() => new Thread());
    const wake = (index: number): void => {
      this.#threads[index]!.hasMail = true;
    };
    const threads = scenario.programs.length;
    const limits = scenario.programs
      .flat()
      .map((one) => (typeof one === 'object' ? one.resize : 0));
    this.#highestLimit = Math.max(scenario.limit, ...limits);
    const first = gates.create(scenario.limit, scenario.waitLimit, { thread: 0, threads, wake });
    for (const [thread, one] of this.#threads.entries()) {
      one.gate = thread === 0 ? first : gates.attach(first.shared, { thread, threads, wake });
    }
    this.#cells = new Int32Array(first.shared);
    for (const [thread, operation] of scenario.setUp ?? []) {
      this.#perform(thread, operation);
      while (this.#threads[thread]!.steps !== null) this.#step(this.#threads[thread]!);
    }
  }

  /** Twice the thread, plus one for its mail instead of its program. */
  choices(): number[] {
    const found: number[] = [];
    for (const [index, thread] of this.#threads.entries()) {
      if (thread.steps !== null) found.push(index * 2);
      else {
        if (this.#nextOperation(index) !== null) found.push(index * 2);
        if (thread.hasMail) found.push(index * 2 + 1);
      }
    }
    if (found.length > 0) return found;
    const running = this.#threads.findIndex(({ owed }) => owed > 0);
    return running < 0 ? [] : [running * 2];
  }

  take(choice: number): void {
    this.schedule.push(choice);
    const thread = this.#threads[choice >> 1]!;
    if (thread.steps === null) this.#begin(choice >> 1, (choice & 1) === 1);
    else this.#step(thread);
    this.#check();
  }

  key(): string {
    const threads = this.#threads.map(
      (one) =>
        `${one.position},${one.owed},${one.hasMail},${one.sawFull},${one.trace},` +
        `${one.steps === null ? one.gate.inspect() : ''},` +
        one.waiters.map(({ gateState }) => gateState).join(''),
    );
    let cells = '';
    for (let at = 0; at < this.#cells.length; at += 16) cells += `${this.#cells[at]},`;
    return `${cells}|${threads.join('|')}`;
  }

  /** Nothing is left to do: everything must have been given back, and nobody forgotten. */
  checkEnd(): void {
    this.#assert(this.#cells[IN_FLIGHT] === 0, 'a slot was lost');
    this.#assert(this.#cells[WAITING] === 0, 'a waiting place was lost');
    this.#assert(
      this.#cells.subarray(FIRST_SEAT).every((cell, index) => index % 64 >= 32 || cell === 0),
      'a claim or a grant was lost',
    );
    for (const { waiters, gate } of this.#threads) {
      this.#assert(gate.inspect() === '0;0;false;', 'a thread still remembers something');
      this.#assert(
        waiters.every(
          ({ gateState }) => gateState <= WaiterState.ADMITTED && gateState !== WaiterState.QUEUED,
        ),
        'a waiter was forgotten',
      );
    }
  }

  #nextOperation(index: number): Operation | null {
    const thread = this.#threads[index]!;
    const operation = this.#scenario.programs[index]![thread.position];
    if (operation === undefined) return null;
    if (operation !== 'release' || thread.owed > 0) return operation;
    // Refused or cancelled: there is nothing to release and never will be.
    const isWaiting = thread.waiters.some(({ gateState }) => gateState === WaiterState.QUEUED);
    if (isWaiting) return null;
    thread.position += 1;
    return this.#nextOperation(index);
  }

  #begin(index: number, fromMail: boolean): void {
    const thread = this.#threads[index]!;
    if (fromMail) {
      thread.hasMail = false;
      this.#start(thread, 'mail', thread.gate.collect());
      return;
    }
    // Nothing left in any program: what runs is brought to its end.
    const operation = this.#nextOperation(index) ?? 'release';
    thread.position += 1;
    this.#perform(index, operation);
  }

  #perform(index: number, operation: Operation): void {
    const thread = this.#threads[index]!;
    if (operation === 'acquire') this.#beginAcquire(index);
    else if (operation === 'release') {
      thread.owed -= 1;
      this.#start(thread, 'release', thread.gate.release());
    } else if (operation === 'cancel') {
      const last = thread.waiters.at(-1);
      if (last !== undefined) this.#start(thread, 'cancel', thread.gate.cancel(last));
    } else this.#start(thread, 'resize', thread.gate.resize(operation.resize));
  }

  #beginAcquire(index: number): void {
    const thread = this.#threads[index]!;
    const id = thread.waiters.length;
    const admit = (): void => {
      thread.owed += 1;
      this.#assert(id > thread.lastAdmitted, 'a waiter was overtaken in its own thread');
      thread.lastAdmitted = id;
    };
    const waiter: SteppedWaiter = {
      gateNext: null,
      gatePrevious: null,
      gateState: WaiterState.IDLE,
      id,
      arrivedAtMs: this.#scenario.arrivals[index]!,
      // biome-ignore lint/correctness/useYield: called with yield* like everything stepped.
      *onGateAdmit() {
        admit();
      },
    };
    thread.waiters.push(waiter);
    thread.sawFull = this.#isFull();
    thread.isAcquiring = true;
    this.#start(thread, 'acquire', thread.gate.acquire(waiter), (result) => {
      if (result === Admission.ADMITTED) admit();
      if (result === Admission.FULL) this.#assert(thread.sawFull, 'refused while there was room');
      thread.sawFull = false;
      thread.isAcquiring = false;
    });
  }

  /** Starts it and makes its first access. */
  #start(
    thread: Thread,
    name: string,
    steps: Steps<unknown>,
    onDone: ((result: unknown) => void) | null = null,
  ): void {
    thread.trace = `${name}:${thread.gate.inspect()}:`;
    thread.onDone = onDone;
    thread.steps = steps;
    this.#advance(thread, steps.next());
    if (thread.access !== null) this.#step(thread);
  }

  #step(thread: Thread): void {
    const [name, cells, ...values] = thread.access!;
    const perform = Atomics[name] as (cells: Int32Array, ...values: number[]) => number;
    const read = perform(cells, ...values);
    thread.trace += `${read},`;
    if (this.#isFull()) {
      for (const one of this.#threads) one.sawFull ||= one.isAcquiring;
    }
    this.#advance(thread, thread.steps!.next(read));
  }

  #advance(thread: Thread, result: IteratorResult<Access, unknown>): void {
    thread.access = result.done === true ? null : result.value;
    if (result.done !== true) return;
    thread.steps = null;
    thread.trace = '';
    thread.onDone?.(result.value);
  }

  #isFull(): boolean {
    const cells = this.#cells;
    return cells[IN_FLIGHT]! >= cells[LIMIT]! && cells[WAITING]! >= cells[WAIT_LIMIT]!;
  }

  #check(): void {
    const inFlight = this.#cells[IN_FLIGHT]!;
    const waiting = this.#cells[WAITING]!;
    let running = 0;
    for (const { owed } of this.#threads) running += owed;
    if (inFlight > this.#highestLimit) this.#fail('more slots than the limit');
    if (inFlight < running) this.#fail('somebody runs without a slot');
    if (waiting < 0 || waiting > this.#scenario.waitLimit) this.#fail('waiting out of bounds');
  }

  #assert(holds: boolean, message: string): void {
    if (!holds) this.#fail(message);
  }

  #fail(message: string): never {
    throw new Error(`${message}: ${JSON.stringify(this.#scenario)} in order ${this.schedule}`);
  }
}

/** Tries everything. Throws at the first broken promise, with the order that breaks it. */
export function explore(scenario: Scenario, gates: SteppedGateClass): { states: number } {
  const seen = new Set<string>();
  const untried: number[][] = [[]];
  for (let prefix = untried.pop(); prefix !== undefined; prefix = untried.pop()) {
    const run = new Run(scenario, gates);
    for (const choice of prefix) run.take(choice);
    for (;;) {
      const key = run.key();
      if (seen.has(key)) break;
      seen.add(key);
      const [first, ...others] = run.choices();
      if (first === undefined) {
        run.checkEnd();
        break;
      }
      for (const other of others) untried.push([...run.schedule, other]);
      run.take(first);
    }
  }
  return { states: seen.size };
}
