// The ContainerRuntime of standalone mode: every request is a message to the root process, which
// does the spawning. Answers are matched by container id or by request number.

import type {
  ContainerExit,
  ContainerRecord,
  ContainerRuntime,
  ContainerSignal,
  ContainerSpec,
} from '../node/runtime.ts';
import type { FromControl, ToControl } from './messages.ts';

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

type Started = { pid: number | null; startedAtMs: number };

export class PipeRuntime implements ContainerRuntime {
  readonly #send: (message: FromControl) => void;
  readonly #starts = new Map<string, Waiter<Started>>();
  readonly #tables = new Map<number, (records: ContainerRecord[]) => void>();
  readonly #execs = new Map<number, (exitCode: number) => void>();
  /** Groups of running processes, to be killed should the root vanish. */
  readonly #groups = new Map<string, number>();
  #listener: (id: string, exit: ContainerExit) => void = () => undefined;
  #requests = 0;

  constructor(send: (message: FromControl) => void) {
    this.#send = send;
  }

  groups(): Iterable<number> {
    return this.#groups.values();
  }

  start(spec: ContainerSpec): Promise<Started> {
    return new Promise((resolve, reject) => {
      this.#starts.set(spec.id, { resolve, reject });
      this.#send({ type: 'start', spec });
    });
  }

  signal(id: string, signal: ContainerSignal): void {
    this.#send({ type: 'signal', id, signal });
  }

  exec(id: string, argv: readonly string[], timeoutMs: number): Promise<number> {
    return new Promise((resolve) => {
      const requestId = this.#nextRequest();
      this.#execs.set(requestId, resolve);
      this.#send({ type: 'exec', requestId, id, argv, timeoutMs });
    });
  }

  list(): Promise<ContainerRecord[]> {
    return new Promise((resolve) => {
      const requestId = this.#nextRequest();
      this.#tables.set(requestId, resolve);
      this.#send({ type: 'list', requestId });
    });
  }

  forget(id: string): void {
    this.#send({ type: 'forget', id });
  }

  onExit(listener: (id: string, exit: ContainerExit) => void): void {
    this.#listener = listener;
  }

  /** True when the message was an answer to this runtime. */
  handle(message: ToControl): boolean {
    switch (message.type) {
      case 'started':
        this.#handleStarted(message.id, message);
        return true;
      case 'startFailed':
        this.#starts.get(message.id)?.reject(new Error(message.message));
        this.#starts.delete(message.id);
        return true;
      case 'exited':
        this.#groups.delete(message.id);
        this.#listener(message.id, message.exit);
        return true;
      case 'table':
        this.#handleTable(message.requestId, message.records);
        return true;
      case 'execDone':
        this.#execs.get(message.requestId)?.(message.exitCode);
        this.#execs.delete(message.requestId);
        return true;
      default:
        return false;
    }
  }

  #handleStarted(id: string, started: Started): void {
    if (started.pid !== null) this.#groups.set(id, started.pid);
    this.#starts.get(id)?.resolve(started);
    this.#starts.delete(id);
  }

  #handleTable(requestId: number, records: ContainerRecord[]): void {
    for (const { spec, pid, exit } of records) {
      if (pid !== null && exit === null) this.#groups.set(spec.id, pid);
    }
    this.#tables.get(requestId)?.(records);
    this.#tables.delete(requestId);
  }

  #nextRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }
}
