// The bench's handle on the process that sends load.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LoadOrder, LoadResult } from './load-worker.ts';
import { BUILD, end, LOAD_CORE, spawnPinned } from './processes.ts';

export class LoadGenerator {
  readonly #child: ChildProcess;

  constructor() {
    const entry = join(BUILD, 'bench', 'support', 'load-worker.js');
    this.#child = spawnPinned(process.execPath, [entry], { core: LOAD_CORE, ipc: true });
  }

  /** One order at a time. */
  async run(order: LoadOrder): Promise<LoadResult> {
    const answer = once(this.#child, 'message');
    this.#child.send(order);
    const [result] = (await answer) as [LoadResult];
    return result;
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}
