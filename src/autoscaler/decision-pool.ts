// The only home of piscina: worker threads for ticks too large for the main thread. Threads start
// with the first large tick, because handing over a task costs about 30 µs and a thread some
// megabytes: a machine with a handful of revisions never pays for either.
// Bounds: one task in flight per slab chunk; piscina queues no more than MAX_QUEUED_TASKS.

import type { Piscina } from 'piscina';
import type { DecisionTask } from './decision-worker.ts';

/** Tasks waiting for a worker; one more is refused, and its rows are decided on the main thread. */
export const MAX_QUEUED_TASKS = 1024;

export interface DecisionPool {
  /** Rejects when the queue is full or a worker died; the caller then decides the rows itself. */
  run(task: DecisionTask): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** `workerFile`: URL of the built worker; by default the one beside this module. */
export function createDecisionPool(
  threads: number,
  workerFile = new URL('./decision-worker.js', import.meta.url).href,
): DecisionPool {
  let starting: Promise<Piscina> | null = null;
  const start = async (): Promise<Piscina> => {
    const { Piscina: Pool } = await import('piscina');
    return new Pool({
      filename: workerFile,
      minThreads: threads,
      maxThreads: threads,
      maxQueue: MAX_QUEUED_TASKS,
    });
  };
  return {
    async run(task) {
      starting ??= start();
      return (await starting).run(task) as Promise<Uint8Array>;
    },
    async close() {
      if (starting !== null) await (await starting).destroy();
      starting = null;
    },
  };
}
