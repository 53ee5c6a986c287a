// What a request thread has the main thread do for it: log entries leave through one writer, and
// readiness is evaluated once for the pod (QP-104). Request log lines go through LineForwarder.

import type { Logger, LogLevel } from '../telemetry/logger.ts';
import type { FromThread, LogMethod } from './thread-messages.ts';

type Post = (message: FromThread) => void;

export function threadLogger(post: Post, level: LogLevel, bound: object = {}): Logger {
  const log =
    (method: LogMethod) =>
    (fields: object, message: string): void =>
      post({ kind: 'log', method, fields: { ...bound, ...fields }, message });
  return {
    debug: level === 'debug' ? log('debug') : () => undefined,
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    isDebugEnabled: () => level === 'debug',
    child: (fields) => threadLogger(post, level, { ...bound, ...fields }),
  };
}

/** One question per health check, because each must see an evaluation that ends after it came. */
export class ReadinessAsker {
  readonly #post: Post;
  readonly #asked = new Map<number, (ready: boolean) => void>();
  #lastId = 0;

  constructor(post: Post) {
    this.#post = post;
  }

  ask(): Promise<boolean> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      this.#asked.set(id, resolve);
      this.#post({ kind: 'probe', id });
    });
  }

  answer(id: number, ready: boolean): void {
    this.#asked.get(id)?.(ready);
    this.#asked.delete(id);
  }
}
