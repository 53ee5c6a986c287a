// The bench's handle on the process that sends load.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LoadOrder, LoadResult } from './load-worker.ts';
import { BUILD, end, LOAD_CORE, spawnPinned } from './processes.ts';

export class LoadGenerator {
  readonly #child: ChildProcess;
  /** Rejects when the process ends, so that nobody waits for a dead one. */
  readonly #died: Promise<never>;

  /** `script` takes orders of load-worker.ts. */
  constructor(script = 'load-worker.js') {
    const entry = join(BUILD, 'bench', 'support', script);
    this.#child = spawnPinned(process.execPath, [entry], { core: LOAD_CORE, ipc: true });
    this.#died = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`the load generator ended with code ${code}`);
    });
    // Ending it after the last order is how it should go; only `run` cares.
    this.#died.catch(() => undefined);
  }

  /** One order at a time. */
  async run(order: LoadOrder): Promise<LoadResult> {
    const answer = once(this.#child, 'message');
    this.#child.send(order);
    const [result] = (await Promise.race([answer, this.#died])) as [LoadResult];
    return result;
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}
