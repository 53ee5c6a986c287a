// The Deciders (AS-93 to AS-100): one per PodAutoscaler of class KPA, deciding every 2 s and at
// once when poked. What a Decider last said is kept here for reconcilers; its windows, panic state
// and history live in the shared row. Small ticks and pokes run on this thread, large ticks in
// workers. Invariants: a revision's decisions never overlap (row lock); observers hear of a
// decision only when the recommendation changed or the excess burst capacity changed sign (AS-97).

import { CONFIGURATION_LABEL, REVISION_LABEL } from '../api/labels.ts';
import type { Clock } from '../clock/clock.ts';
import { FLAG, INPUT, type MetricSlab, STATE } from '../shm/metric-columns.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DecisionPool } from './decision-pool.ts';
import { delaySlots } from './delay-window.ts';
import type { MetricRow, MetricStore } from './metric-store.ts';
import { decideRow, isNews, OUTCOME, readState, writeState } from './row-decision.ts';
import { initialExcessBurstCapacity, initialScaleState, type ScaleSpec } from './scale-decision.ts';
import { SpreadTicker } from './spread-ticker.ts';

/** AS-96. */
export const TICK_MS = 2000;
/** Up to so many rows a tick is cheaper here than handed to a thread. */
export const MAX_INLINE_DECISIONS = 1000;
/** Rows of one worker task. */
const TASK_ROWS = 2048;
/** A poke that meets a worker on its row tries again on the next turns, so often. */
const MAX_POKE_RETRIES = 20;

export interface DeciderSpec extends ScaleSpec {
  isRps: boolean;
  initialScale: number;
  scaleDownDelayMs: number;
}

/** What the last reconciliation made of the recommendation. For people. */
export interface AppliedScale {
  /** AS-138; -1 = left as it was. */
  readonly wanted: number;
  readonly bound: 'min-scale' | 'max-scale' | 'initial-scale' | null;
  readonly minScale: number;
  /** 0 = no limit. */
  readonly maxScale: number;
  /** Where the requests go. */
  readonly mode: 'Serve' | 'Proxy';
}

export interface Decider {
  readonly key: string;
  /** null before the first reconciliation. */
  applied: AppliedScale | null;
  spec: DeciderSpec;
  /** -1 = unknown. */
  recommendation: number;
  /** As of the last decision that observers heard of; only its sign is kept up to date (AS-97). */
  excessBurstCapacity: number;
  readonly row: MetricRow;
  /** What its row was last handed to a worker with; null = never. */
  task: WorkerTask | null;
}

interface WorkerTask {
  readonly slab: MetricSlab;
  readonly deciders: readonly Decider[];
  /** First cell of each row. */
  readonly rows: Int32Array;
  /** The worker has not answered yet. */
  isRunning: boolean;
}

export type DecisionCause = 'tick' | 'poke';
/** `previous` is the recommendation before. */
export type DecisionObserver = (decider: Decider, previous: number, cause: DecisionCause) => void;

export interface DecidersOptions {
  store: MetricStore;
  clock: Clock;
  logger: Logger;
  /** Ready pods of a revision, -1 when they cannot be counted. */
  readyPods: (key: string) => number;
  /** null = always decide on this thread. */
  pool: DecisionPool | null;
  maxInlineDecisions?: number;
  /** A decision was made on that row, whether or not observers hear of it. */
  onDecided?: (row: MetricRow) => void;
}

export class Deciders {
  readonly #options: DecidersOptions;
  readonly #deciders = new Map<string, Decider>();
  readonly #ticker: SpreadTicker<Decider>;
  #observe: DecisionObserver = () => undefined;

  constructor(options: DecidersOptions) {
    this.#options = options;
    this.#ticker = new SpreadTicker(options.clock, TICK_MS, (due) => this.#tick(due));
  }

  onChange(observer: DecisionObserver): void {
    this.#observe = observer;
  }

  get(key: string): Decider | undefined {
    return this.#deciders.get(key);
  }

  /** In order of creation. */
  all(): IterableIterator<Decider> {
    return this.#deciders.values();
  }

  get size(): number {
    return this.#deciders.size;
  }

  /** AS-94, AS-98: creates the Decider or gives it new settings. */
  ensure(key: string, spec: DeciderSpec, labels: Record<string, string> | undefined): Decider {
    const existing = this.#deciders.get(key);
    if (existing !== undefined) {
      existing.spec = spec;
      this.#writeSpec(existing);
      return existing;
    }
    for (const label of [CONFIGURATION_LABEL, REVISION_LABEL]) {
      if (labels?.[label]) continue;
      throw new Error(`label "${label}" not found or empty in Decider ${key.split('/').at(-1)}`);
    }
    return this.#create(key, spec);
  }

  /** AS-100. */
  delete(key: string): void {
    const decider = this.#deciders.get(key);
    if (decider === undefined) return;
    this.#deciders.delete(key);
    this.#ticker.remove(decider);
    decider.row.isPokable = false;
    this.#options.store.setFlag(decider.row, FLAG.deciding | FLAG.delayed, false);
    this.#options.store.release(decider.row);
  }

  /** Pods of the revision came, went or changed. */
  podsChanged(key: string): void {
    const decider = this.#deciders.get(key);
    if (decider === undefined) return;
    this.#options.store.setInput(decider.row, 'readyPods', this.#options.readyPods(key));
  }

  /**
   * AS-154: decides now, if the revision is known to be at zero. Unlike the reference (AS-156) this
   * includes a revision of which nothing is known yet but that it has no ready pod: after a restart
   * or with initial scale 0 the first request would wait for the tick, and nothing is gained by it.
   */
  poke(key: string): void {
    const decider = this.#deciders.get(key);
    if (decider === undefined || decider.recommendation > 0) return;
    if (decider.recommendation < 0 && this.#options.readyPods(key) !== 0) return;
    this.#pokeNow(decider, 0);
  }

  stop(): void {
    this.#ticker.stop();
    this.#observe = () => undefined;
  }

  #create(key: string, spec: DeciderSpec): Decider {
    const { store, clock } = this.#options;
    const row = store.retain(key);
    const ready = this.#options.readyPods(key);
    const ebc = initialExcessBurstCapacity(
      spec.initialScale,
      spec.capacity,
      spec.targetBurstCapacity,
    );
    const decider: Decider = {
      key,
      applied: null,
      spec,
      recommendation: -1,
      excessBurstCapacity: ebc,
      row,
      task: null,
    };
    const isWarm = store.takeWarm(row, FLAG.warmState);
    if (isWarm) takeOver(decider);
    else {
      const state = initialScaleState(Math.max(0, ready), ebc, clock.nowMs());
      writeState(row.slab.cells, row.at, state);
      store.setFlag(row, FLAG.delayed, false);
    }
    const hasDelay = (row.slab.cells[row.at + INPUT.flags]! & FLAG.delayed) !== 0;
    if (spec.scaleDownDelayMs > 0 && !hasDelay) {
      store.startDelay(row, delaySlots(spec.scaleDownDelayMs));
      store.setFlag(row, FLAG.delayed, true);
    }
    store.setInput(row, 'readyPods', ready);
    this.#writeSpec(decider);
    store.setFlag(row, FLAG.deciding, true);
    row.isPokable = decider.recommendation <= 0;
    this.#deciders.set(key, decider);
    this.#ticker.add(decider, isWarm ? untilNextTick(row, clock.nowMs()) : undefined);
    return decider;
  }

  #writeSpec({ row, spec }: Decider): void {
    const { store } = this.#options;
    store.setInputs(row, {
      target: spec.target,
      capacity: spec.capacity,
      targetBurstCapacity: spec.targetBurstCapacity,
      panicThreshold: spec.panicThreshold,
      stableWindowMs: spec.stableWindowMs,
      maxScaleUpRate: spec.maxScaleUpRate,
      maxScaleDownRate: spec.maxScaleDownRate,
      activationScale: spec.activationScale,
    });
    store.setFlag(row, FLAG.reachable, spec.reachable);
    store.setFlag(row, FLAG.rps, spec.isRps);
  }

  #pokeNow(decider: Decider, attempt: number): void {
    if (this.#deciders.get(decider.key) !== decider) return;
    const { row } = decider;
    const outcome = decideRow(row.slab, row.at, this.#options.clock.nowMs());
    if (outcome >= OUTCOME.same) {
      this.#options.onDecided?.(row);
      this.#publish(decider, 'poke');
    }
    if (outcome === OUTCOME.busy && attempt < MAX_POKE_RETRIES) {
      this.#options.clock.setTimer(0, () => this.#pokeNow(decider, attempt + 1));
    }
  }

  #tick(due: Decider[]): void {
    const limit = this.#options.maxInlineDecisions ?? MAX_INLINE_DECISIONS;
    if (this.#options.pool === null || due.length <= limit) this.#decideHere(due);
    else this.#decideInWorkers(due, this.#options.pool);
  }

  #decideHere(due: readonly Decider[]): void {
    const nowMs = this.#options.clock.nowMs();
    for (const decider of due) {
      const { row } = decider;
      if (decideRow(row.slab, row.at, nowMs) < OUTCOME.same) continue;
      this.#options.onDecided?.(row);
      this.#publish(decider, 'tick');
    }
  }

  #decideInWorkers(due: readonly Decider[], pool: DecisionPool): void {
    const bySlab = new Map<MetricSlab, Decider[]>();
    for (const decider of due) {
      if (decider.task?.isRunning) continue; // Its last tick is not back yet: workers lag.
      const list = bySlab.get(decider.row.slab);
      if (list === undefined) bySlab.set(decider.row.slab, [decider]);
      else list.push(decider);
    }
    for (const [slab, all] of bySlab) {
      for (let from = 0; from < all.length; from += TASK_ROWS) {
        const deciders = all.length <= TASK_ROWS ? all : all.slice(from, from + TASK_ROWS);
        const rows = Int32Array.from(deciders, ({ row }) => row.at);
        void this.#runTask({ slab, deciders, rows, isRunning: true }, pool);
      }
    }
  }

  async #runTask(task: WorkerTask, pool: DecisionPool): Promise<void> {
    const { slab, deciders, rows } = task;
    const { clock, logger, store } = this.#options;
    for (const decider of deciders) decider.task = task;
    const movesBefore = store.moves;
    let outcomes: Uint8Array | null = null;
    slab.sharers += 1;
    try {
      const nowMs = clock.nowMs();
      outcomes = await pool.run({ buffer: slab.buffer, shape: slab.shape, rows, nowMs });
    } catch (error) {
      logger.warn({ error, rows: rows.length }, 'decision worker failed');
      for (const at of rows) slab.unlock(at); // A thread that died keeps its lock for ever.
    }
    slab.sharers -= 1;
    task.isRunning = false;
    this.#finish(task, outcomes, store.moves !== movesBefore);
  }

  /** Most outcomes are nobody's business: what goes with them is looked at for the others only. */
  #finish(task: WorkerTask, outcomes: Uint8Array | null, haveMoved: boolean): void {
    const { onDecided } = this.#options;
    const { deciders } = task;
    const missed: Decider[] = [];
    for (let index = 0; index < deciders.length; index += 1) {
      let outcome = outcomes?.[index] ?? OUTCOME.busy;
      const isNews = outcome === OUTCOME.changed || outcome === OUTCOME.busy;
      if (!isNews && !haveMoved && onDecided === undefined) continue;
      const decider = deciders[index]!;
      if (this.#deciders.get(decider.key) !== decider) continue;
      const { row } = decider;
      // A row that was moved meanwhile was decided in its old place: decide it again.
      if (row.slab !== task.slab || row.at !== task.rows[index]) outcome = OUTCOME.busy;
      if (outcome >= OUTCOME.same) onDecided?.(row);
      if (outcome === OUTCOME.changed) this.#publish(decider, 'tick');
      else if (outcome === OUTCOME.busy) missed.push(decider);
    }
    this.#decideHere(missed);
  }

  /** AS-97. */
  #publish(decider: Decider, cause: DecisionCause): void {
    const { slab, at } = decider.row;
    const state = readState(slab.cells, at);
    const previous = decider.recommendation;
    const hasChanged = isNews(decider, state);
    decider.recommendation = state.recommendation;
    decider.excessBurstCapacity = state.excessBurstCapacity;
    decider.row.isPokable = state.recommendation <= 0;
    if (hasChanged) this.#observe(decider, previous, cause);
  }
}

/** A state copied from the process that decided before goes on where it was (AS-178). */
function takeOver(decider: Decider): void {
  const { slab, at } = decider.row;
  const state = readState(slab.cells, at);
  decider.recommendation = state.recommendation;
  decider.excessBurstCapacity = state.excessBurstCapacity;
}

/** A decision taken over keeps the rhythm of the process that decided before. */
function untilNextTick({ slab, at }: MetricRow, nowMs: number): number {
  const leftMs = slab.cells[at + STATE.decidedMs]! + TICK_MS - nowMs;
  return Math.min(Math.max(0, leftMs), TICK_MS - 1);
}
