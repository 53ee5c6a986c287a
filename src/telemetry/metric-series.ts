// Series of metrics as plain typed arrays: counts per bucket and a sum for a histogram, one cell
// for anything else. A group holds the metrics that share their labels, so one lookup by a small
// integer finds all of them. Snapshots are plain data: threads post them to each other and
// `mergeSnapshots` adds them up. Hot: `at` and `observe` run once per request; a series is made at
// its first use.

import type { MetricDefinition } from './metric-definitions.ts';

/** Attribute names as in OpenTelemetry, with dots. */
export type Labels = readonly (readonly [name: string, value: string | number])[];

/** One time series of one metric. */
export interface Series {
  /** Name of its MetricDefinition. */
  readonly metric: string;
  readonly labels: Labels;
  /** Histogram: counts per bucket (the last is +Inf), then the sum. Otherwise one value. */
  readonly values: Float64Array;
}

export type MetricSnapshot = readonly Series[];

/** What series beyond the limit of their group are counted under. */
export const OVERFLOW_LABELS: Labels = [['otel.metric.overflow', 'true']];
/** Label combinations of one group; further ones share the one series of OVERFLOW_LABELS. */
export const MAX_SERIES = 1_000;

/** Cells one series of that metric takes. */
export function cellsOf({ kind, bounds }: MetricDefinition): number {
  return kind === 'histogram' ? bounds.length + 2 : 1;
}

export class SeriesGroup {
  readonly #metrics: readonly MetricDefinition[];
  readonly #describe: (key: number) => Labels;
  readonly #cellCount: number;
  /** Cells of all metrics of a series, one metric after the other, by key. */
  readonly #series = new Map<number, Float64Array>();
  #overflow: Float64Array | null = null;

  /** `describe` names the labels a key stands for; asked when a snapshot is taken. */
  constructor(metrics: readonly MetricDefinition[], describe: (key: number) => Labels) {
    this.#metrics = metrics;
    this.#describe = describe;
    this.#cellCount = metrics.reduce((count, metric) => count + cellsOf(metric), 0);
  }

  /** The cells of that series, all zero at first. */
  at(key: number): Float64Array {
    return this.#series.get(key) ?? this.#add(key);
  }

  #add(key: number): Float64Array {
    const cells = new Float64Array(this.#cellCount);
    if (this.#series.size < MAX_SERIES) {
      this.#series.set(key, cells);
      return cells;
    }
    this.#overflow ??= cells;
    return this.#overflow;
  }

  /** Copies; later observations do not change it. */
  snapshot(): Series[] {
    const series: Series[] = [];
    for (const [key, cells] of this.#series) this.#describeInto(series, this.#describe(key), cells);
    if (this.#overflow !== null) this.#describeInto(series, OVERFLOW_LABELS, this.#overflow);
    return series;
  }

  #describeInto(series: Series[], labels: Labels, cells: Float64Array): void {
    let at = 0;
    for (const metric of this.#metrics) {
      const end = at + cellsOf(metric);
      series.push({ metric: metric.name, labels, values: cells.slice(at, end) });
      at = end;
    }
  }
}

/** Adds one observation to the histogram at `offset`; a value equal to a bound belongs to it. */
export function observe(
  cells: Float64Array,
  offset: number,
  bounds: readonly number[],
  value: number,
): void {
  const count = bounds.length;
  let bucket = 0;
  while (bucket < count && value > bounds[bucket]!) bucket += 1;
  cells[offset + bucket]! += 1;
  cells[offset + count + 1]! += value;
}

/** Adds up series of the same metric and labels; the order is that of their first appearance. */
export function mergeSnapshots(snapshots: readonly MetricSnapshot[]): MetricSnapshot {
  if (snapshots.length === 1) return snapshots[0]!;
  const merged = new Map<string, Series>();
  for (const { metric, labels, values } of snapshots.flat()) {
    const key = JSON.stringify([metric, labels]);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, { metric, labels, values: values.slice() });
    else for (let cell = 0; cell < values.length; cell += 1) known.values[cell]! += values[cell]!;
  }
  return [...merged.values()];
}

/** One value of a gauge or counter that is read when somebody asks. */
export function reading({ name }: MetricDefinition, value: number, labels: Labels = []): Series {
  return { metric: name, labels, values: Float64Array.of(value) };
}
