// What a request thread has the main thread do for it: log entries and request log lines leave
// through one writer, so no line is torn (QP-127), and readiness is evaluated once for the pod
// (QP-104). Log lines of one turn go in one message.

import type { LineSink } from '../telemetry/line-output.ts';
import type { Logger, LogLevel } from '../telemetry/logger.ts';
import type { FromThread, LogMethod } from './thread-messages.ts';

type Post = (message: FromThread) => void;

/** Characters of lines kept for the end of the turn; beyond, they are sent at once. */
const MAX_GATHERED_CHARACTERS = 64 * 1024;

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

export class LineForwarder implements LineSink {
  readonly #post: Post;
  #text = '';
  #scheduled = false;

  constructor(post: Post) {
    this.#post = post;
  }

  write(line: string): void {
    this.#text += line;
    if (this.#text.length > MAX_GATHERED_CHARACTERS) this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(flushLater, this);
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#text === '') return;
    this.#post({ kind: 'lines', text: this.#text });
    this.#text = '';
  }
}

function flushLater(forwarder: LineForwarder): void {
  forwarder.flush();
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
