// Round robin (ACT-56), for larger concurrency limits: a cursor per revision walks the pods,
// skipping full ones. The cursor outlives changes of the pod list; past its end it starts over.
// Hot.

import type { LbPolicy, LbTarget } from './policy.ts';

export class RoundRobin implements LbPolicy {
  #cursor = 0;

  pick<T extends LbTarget>(targets: readonly T[]): T | null {
    const count = targets.length;
    if (this.#cursor >= count) this.#cursor = 0;
    for (let step = 0; step < count; step++) {
      const index = (this.#cursor + step) % count;
      const target = targets[index] as T;
      if (target.reserve()) {
        this.#cursor = index + 1;
        return target;
      }
    }
    return null;
  }
}
