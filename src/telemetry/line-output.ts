// Lines on their way to a file descriptor, normally stdout (QP-127). Lines of one turn of the event
// loop leave in one write; while a write is under way, more gather. A reader that does not read
// holds up nobody: beyond the limit lines are dropped, and counted. Lines are strings of bytes
// (latin1) and are never cut: what a write could not take is written next. Hot: `write` runs once
// per logged request.

import { write as writeFile } from 'node:fs';
import type { Clock } from '../clock/clock.ts';

/** Bytes of lines waiting to be written; further lines are dropped and counted. */
const MAX_PENDING_LOG_BYTES = 4 * 1024 * 1024;
/** How long to wait when the descriptor takes nothing now. */
const RETRY_MS = 10;

/** The part of fs.write that is used; tests bring their own. */
export type WriteBytes = (
  bytes: Buffer,
  offset: number,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void;

/** What a request log or a logger writes to. */
export interface LineSink {
  /** One line, newline included, one char per byte. */
  write(line: string): void;
}

export class LineOutput implements LineSink {
  readonly #writeBytes: WriteBytes;
  readonly #clock: Clock;
  #pending = '';
  #isScheduled = false;
  #isWriting = false;
  #dropped = 0;
  #whenIdle: (() => void)[] = [];

  constructor(clock: Clock, writeBytes: WriteBytes = writeStdout) {
    this.#clock = clock;
    this.#writeBytes = writeBytes;
  }

  /** Lines nobody will see, because the reader was too slow or has gone. */
  get droppedCount(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#pending.length + line.length > MAX_PENDING_LOG_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#pending += line;
    if (this.#isScheduled || this.#isWriting) return;
    this.#isScheduled = true;
    setImmediate(startWriting, this);
  }

  /** Resolves when everything written so far has left, or was dropped. */
  flush(): Promise<void> {
    if (this.#pending === '' && !this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }

  /** Runs on the next turn of the loop. */
  start(): void {
    this.#isScheduled = false;
    if (this.#isWriting || this.#pending === '') return;
    const bytes = Buffer.from(this.#pending, 'latin1');
    this.#pending = '';
    this.#isWriting = true;
    this.#continue(bytes, 0);
  }

  #continue(bytes: Buffer, offset: number): void {
    this.#writeBytes(bytes, offset, (error, written) => {
      if (error?.code === 'EAGAIN') {
        this.#clock.setTimer(RETRY_MS, () => this.#continue(bytes, offset), { background: true });
        return;
      }
      if (error !== null) this.#lose(bytes, offset);
      else if (offset + written < bytes.length) {
        this.#continue(bytes, offset + written);
        return;
      }
      this.#isWriting = false;
      this.start();
      if (!this.#isWriting) for (const resolve of this.#whenIdle.splice(0)) resolve();
    });
  }

  /** The reader has gone: nothing that was to be written will arrive. */
  #lose(bytes: Buffer, offset: number): void {
    for (let at = bytes.indexOf(10, offset); at >= 0; at = bytes.indexOf(10, at + 1)) {
      this.#dropped += 1;
    }
  }
}

function startWriting(output: LineOutput): void {
  output.start();
}

const writeStdout: WriteBytes = (bytes, offset, done) =>
  writeFile(1, bytes, offset, bytes.length - offset, null, done);
