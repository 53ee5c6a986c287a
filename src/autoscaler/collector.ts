// The collections (AS-51 to AS-56, AS-64, AS-79, AS-92): one per Metric object. Each keeps four
// windows in the shared store, fed by stats that activators push and by its own scrape once a
// second. Invariants: scrapes of one collection never overlap; a failed scrape records nothing.

import type { Metric } from '../api/autoscaling.ts';
import { isWeightedAggregation } from '../api/autoscaling-annotations.ts';
import { NS_PER_MS } from '../api/duration.ts';
import { REVISION_LABEL } from '../api/labels.ts';
import { objectKey } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { FLAG } from '../shm/metric-columns.ts';
import type { Stat } from '../wire/stat.ts';
import type { MetricRow, MetricStore } from './metric-store.ts';
import { directConcurrency, directRate } from './sampling.ts';
import type { ScrapeFailure, ScrapeOutcome, ScrapeTarget } from './scraper.ts';
import { SpreadTicker } from './spread-ticker.ts';

/** AS-64. */
export const SCRAPE_PERIOD_MS = 1000;
/** The longest stable window there is (AS-26); a Metric asking for more is refused. */
export const MAX_WINDOW_SECONDS = 3600;

interface Collection {
  readonly key: string;
  readonly row: MetricRow;
  stableWindowMs: number;
  /** null = only pushed stats count (AS-52: target burst capacity -1). */
  target: ScrapeTarget | null;
  lastFailure: ScrapeFailure | null;
  isScraping: boolean;
}

export interface CollectorOptions {
  store: MetricStore;
  clock: Clock;
  scrape: (target: ScrapeTarget, stableWindowMs: number, nowMs: number) => Promise<ScrapeOutcome>;
  /** The outcome where nobody has to be asked for it, such as at zero pods; null = scrape. */
  foresee?: (target: ScrapeTarget) => ScrapeOutcome | null;
}

export class Collector {
  readonly #options: CollectorOptions;
  readonly #collections = new Map<string, Collection>();
  readonly #ticker: SpreadTicker<Collection>;
  #onOutcome: (key: string) => void = () => undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#ticker = new SpreadTicker(options.clock, SCRAPE_PERIOD_MS, (due) => {
      for (const collection of due) this.#visit(collection);
    });
  }

  /** AS-56: called with the Metric key whenever the outcome of its scrapes changes. */
  onOutcome(handler: (key: string) => void): void {
    this.#onOutcome = handler;
  }

  get size(): number {
    return this.#collections.size;
  }

  has(key: string): boolean {
    return this.#collections.has(key);
  }

  /** AS-55: starts or updates a collection; returns its last failure, null = none. */
  ensure(metric: Metric): ScrapeFailure | null {
    const key = objectKey(metric);
    const target = scrapeTargetOf(metric);
    const { stableSeconds, panicSeconds } = windowsOf(metric);
    let collection = this.#collections.get(key);
    if (collection === undefined) collection = this.#create(key, metric);
    else this.#resize(collection, stableSeconds, panicSeconds);
    collection.stableWindowMs = stableSeconds * 1000;
    collection.target = target;
    const { row } = collection;
    this.#options.store.setFlag(row, FLAG.silenceIsZero, target === null);
    if (target === null) {
      collection.lastFailure = null;
      this.#ticker.remove(collection);
    } else this.#ticker.add(collection);
    return collection.lastFailure;
  }

  /** The Metric is gone. */
  delete(key: string): void {
    const collection = this.#collections.get(key);
    if (collection === undefined) return;
    this.#collections.delete(key);
    this.#ticker.remove(collection);
    collection.row.isCollected = false;
    this.#options.store.setFlag(collection.row, FLAG.collecting, false);
    this.#options.store.release(collection.row);
  }

  keys(): IterableIterator<string> {
    return this.#collections.keys();
  }

  /** AS-62, AS-63: a pushed stat. False when nobody collects for that revision. */
  record(key: string, stat: Stat): boolean {
    const collection = this.#collections.get(key);
    if (collection === undefined) return false;
    const second = stat.timestamp === 0 ? this.#nowSecond() : stat.timestamp;
    this.#store(collection, second, stat);
    return true;
  }

  /** Where stats of that revision go; null = nobody collects for it. */
  rowOf(key: string): MetricRow | null {
    return this.#collections.get(key)?.row ?? null;
  }

  /** AS-63: one stat into the windows of a revision that is collected. */
  recordInto(row: MetricRow, second: number, concurrency: number, rate: number): void {
    if (!Number.isFinite(concurrency) || !Number.isFinite(rate)) return; // Would poison the window.
    this.#options.store.record(row, second, concurrency, rate);
  }

  stop(): void {
    this.#ticker.stop();
  }

  #create(key: string, metric: Metric): Collection {
    const { store } = this.#options;
    const { stableSeconds, panicSeconds } = windowsOf(metric);
    const row = store.retain(key);
    if (store.takeWarm(row, FLAG.warmWindows)) {
      store.resizeWindows(row, stableSeconds, panicSeconds, this.#nowSecond());
    } else store.startWindows(row, stableSeconds, panicSeconds);
    store.setFlag(row, FLAG.weighted, isWeightedAggregation(metric.metadata.annotations));
    store.setFlag(row, FLAG.collecting, true);
    row.isCollected = true;
    const collection: Collection = {
      key,
      row,
      stableWindowMs: stableSeconds * 1000,
      target: null,
      lastFailure: null,
      isScraping: false,
    };
    this.#collections.set(key, collection);
    return collection;
  }

  #resize(collection: Collection, stableSeconds: number, panicSeconds: number): void {
    const nowSecond = this.#nowSecond();
    this.#options.store.resizeWindows(collection.row, stableSeconds, panicSeconds, nowSecond);
  }

  /** Once per revision and second, and most revisions sleep: those cost no promise. */
  #visit(collection: Collection): void {
    const { target, isScraping } = collection;
    if (target === null || isScraping) return;
    const foreseen = this.#options.foresee?.(target) ?? null;
    if (foreseen === null) void this.#scrape(collection, target);
    else this.#take(collection, foreseen);
  }

  async #scrape(collection: Collection, target: ScrapeTarget): Promise<void> {
    collection.isScraping = true;
    const nowMs = this.#options.clock.nowMs();
    const outcome = await this.#options.scrape(target, collection.stableWindowMs, nowMs);
    collection.isScraping = false;
    if (this.#collections.get(collection.key) === collection) this.#take(collection, outcome);
  }

  #take(collection: Collection, outcome: ScrapeOutcome): void {
    if (outcome.stat !== null) this.#store(collection, this.#nowSecond(), outcome.stat);
    if (outcome.failure === collection.lastFailure) return;
    collection.lastFailure = outcome.failure;
    this.#onOutcome(collection.key);
  }

  #store(collection: Collection, second: number, stat: Stat): void {
    this.recordInto(collection.row, second, directConcurrency(stat), directRate(stat));
  }

  #nowSecond(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }
}

/** AS-65. */
function scrapeTargetOf(metric: Metric): ScrapeTarget | null {
  if (metric.spec.scrapeTarget === '') return null;
  if (!metric.metadata.labels?.[REVISION_LABEL]) {
    const { name } = metric.metadata;
    throw new Error(`label "${REVISION_LABEL}" not found or empty in Metric ${name}`);
  }
  return {
    key: objectKey(metric),
    namespace: metric.metadata.namespace ?? '',
    serviceName: metric.spec.scrapeTarget,
    isAddressable: true,
  };
}

function windowsOf(metric: Metric): { stableSeconds: number; panicSeconds: number } {
  const stableSeconds = metric.spec.stableWindow / NS_PER_MS / 1000;
  const panicSeconds = metric.spec.panicWindow / NS_PER_MS / 1000;
  for (const seconds of [stableSeconds, panicSeconds]) {
    if (seconds > 0 && seconds <= MAX_WINDOW_SECONDS) continue;
    throw new Error(`a window of ${seconds} s is not within (0, ${MAX_WINDOW_SECONDS}]`);
  }
  return { stableSeconds, panicSeconds };
}
