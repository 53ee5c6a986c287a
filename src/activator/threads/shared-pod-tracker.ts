// A pod whose slots several threads take (ACT-52): the count of requests on it is one cell of
// shared memory, changed by compare-exchange. Invariant: 0 <= count, and <= the limit unless that
// is 0. Hot where several threads run: once per request each way, no allocation.

import { PodTracker, type PodTrackerOptions } from '../pod-tracker.ts';

const IN_FLIGHT = 0;

export function createPodSlots(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

export class SharedPodTracker extends PodTracker {
  readonly #cells: Int32Array;
  readonly #most: number;

  constructor(options: PodTrackerOptions, slots: SharedArrayBuffer) {
    super(options);
    this.#cells = new Int32Array(slots);
    this.#most = options.limit;
  }

  override get inFlight(): number {
    return Atomics.load(this.#cells, IN_FLIGHT);
  }

  override reserve(): boolean {
    const cells = this.#cells;
    let seen = Atomics.load(cells, IN_FLIGHT);
    while (this.#most === 0 || seen < this.#most) {
      const found = Atomics.compareExchange(cells, IN_FLIGHT, seen, seen + 1);
      if (found === seen) return true;
      seen = found;
    }
    return false;
  }

  override release(): void {
    if (Atomics.sub(this.#cells, IN_FLIGHT, 1) > 0) return;
    Atomics.add(this.#cells, IN_FLIGHT, 1);
    throw new Error('pod slot released more often than reserved');
  }
}
