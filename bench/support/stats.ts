// Medians and percentiles, and the rounding that keeps printed numbers readable.

/** Of an unsorted list; NaN when empty. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank; `percent` 0 to 100. NaN when empty. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank - 1))]!;
}

export function round(value: number, digits = 2): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

/** Milliseconds of the monotonic clock all processes of this machine share. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** `1.12..1.31`, the extremes of a list. */
export function spread(values: readonly number[]): string {
  return `${round(Math.min(...values))}..${round(Math.max(...values))}`;
}

/** Milliseconds of one core for a fixed piece of work: what absolute rows are to be read against. */
export function calibrate(): { calibrationMs: number; checksum: number } {
  const start = process.cpuUsage();
  let checksum = 1;
  for (let step = 0; step < 50_000_000; step += 1) {
    checksum = (Math.imul(checksum, 1_103_515_245) + 12_345) | 0;
  }
  const { user, system } = process.cpuUsage(start);
  return { calibrationMs: round((user + system) / 1000), checksum };
}
