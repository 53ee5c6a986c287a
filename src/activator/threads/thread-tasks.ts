// Asks threads to do something and waits for their answers, several questions at once if need be: a
// scrape may come while the threads drain. A thread that ends fails what it was asked. Not hot.

import type { Worker } from 'node:worker_threads';
import type { MetricSnapshot } from '../../telemetry/metric-series.ts';
import type { ThreadTask, ToThread } from './thread-messages.ts';

interface Asked {
  resolve(metrics: MetricSnapshot): void;
  reject(error: Error): void;
}

export class ThreadTasks {
  readonly #workers: readonly Worker[];
  /** As many as are under way: one start, drain or close, and the scrapes of the moment. */
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;

  constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  /** The answers of all threads, in their order. */
  askAll(taskFor: (index: number) => ThreadTask): Promise<MetricSnapshot[]> {
    return Promise.all(this.#workers.map((worker, index) => this.#ask(worker, taskFor(index))));
  }

  onReply(id: number, metrics: MetricSnapshot): void {
    this.#take(id)?.resolve(metrics);
  }

  onFailure(id: number, message: string): void {
    this.#take(id)?.reject(new Error(message));
  }

  failAll(error: Error): void {
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }

  #ask(worker: Worker, task: ThreadTask): Promise<MetricSnapshot> {
    this.#lastId = (this.#lastId + 1) | 0;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      worker.postMessage({ kind: 'task', id, task } satisfies ToThread);
    });
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }
}
