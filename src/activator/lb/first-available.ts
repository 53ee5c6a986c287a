// First available (ACT-55), for small concurrency limits: the first pod in address order with a
// free slot. Packs load onto few pods on purpose, so the others idle and can be scaled away. Hot.

import type { LbPolicy, LbTarget } from './policy.ts';

export class FirstAvailable implements LbPolicy {
  pick<T extends LbTarget>(targets: readonly T[]): T | null {
    for (let index = 0; index < targets.length; index++) {
      const target = targets[index] as T;
      if (target.reserve()) return target;
    }
    return null;
  }
}
