// Random choice of two (ACT-54), for revisions without a concurrency limit: of two pods drawn at
// random the one with fewer of our requests. Nearly as even as looking at all pods, at constant
// cost, and different activators do not herd onto the same pod. Hot, allocates nothing.

import type { LbPolicy, LbTarget } from './policy.ts';

export class RandomChoiceOfTwo implements LbPolicy {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  pick<T extends LbTarget>(targets: readonly T[]): T | null {
    const count = targets.length;
    if (count === 0) return null;
    const first = targets[this.#firstIndex(count)] as T;
    if (count === 1) return first.reserve() ? first : null;
    const second = targets[this.#secondIndex] as T;
    const chosen = this.#lighter(first, second);
    if (chosen.reserve()) return chosen;
    const other = chosen === first ? second : first;
    return other.reserve() ? other : null;
  }

  /** Index of the second draw, set by `#firstIndex`: two results without an array. */
  #secondIndex = 0;

  #firstIndex(count: number): number {
    if (count <= 2) {
      this.#secondIndex = count - 1;
      return 0;
    }
    const first = Math.floor(this.#random() * count);
    // Drawing from count - 1 and skipping over `first` makes every pair equally likely.
    const second = Math.floor(this.#random() * (count - 1));
    this.#secondIndex = second >= first ? second + 1 : second;
    return first;
  }

  #lighter<T extends LbTarget>(first: T, second: T): T {
    if (first.inFlight < second.inFlight) return first;
    if (first.inFlight > second.inFlight) return second;
    return this.#random() < 0.5 ? first : second;
  }
}
