// Writes one container's output to its log file: stamped, cut into bounded lines, rotated. Writes
// are synchronous, so lines are never reordered, nothing is buffered without bound and a crash of
// the program loses nothing it has read. Runs in the root process and therefore imports nothing.

import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../clock/clock.ts';
import {
  formatLogLine,
  type LogStream,
  MAX_LOG_FILE_BYTES,
  MAX_LOG_LINE_BYTES,
  rotatedName,
  tailOf,
} from './log-format.ts';

/** Bytes of raw output kept in memory for the termination message. */
const MAX_TAIL_CHARACTERS = 4096;

interface OpenStream {
  decoder: StringDecoder;
  rest: string;
}

export class LogWriter {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #maxFileBytes: number;
  readonly #streams: Record<LogStream, OpenStream>;
  #descriptor: number | null = null;
  #sizeBytes = 0;
  #tail = '';

  constructor(path: string, clock: Clock, maxFileBytes = MAX_LOG_FILE_BYTES) {
    this.#path = path;
    this.#clock = clock;
    this.#maxFileBytes = maxFileBytes;
    const open = () => ({ decoder: new StringDecoder('utf8'), rest: '' });
    this.#streams = { stdout: open(), stderr: open() };
  }

  write(stream: LogStream, chunk: Buffer): void {
    const state = this.#streams[stream];
    const text = state.decoder.write(chunk);
    this.#tail = (this.#tail + text).slice(-MAX_TAIL_CHARACTERS);
    const lines = (state.rest + text).split('\n');
    state.rest = lines.pop() ?? '';
    while (state.rest.length > MAX_LOG_LINE_BYTES) {
      lines.push(state.rest.slice(0, MAX_LOG_LINE_BYTES));
      state.rest = state.rest.slice(MAX_LOG_LINE_BYTES);
    }
    if (lines.length > 0) this.#append(stream, lines);
  }

  /** Writes what had no line end yet and closes the file. */
  close(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const state = this.#streams[stream];
      const rest = state.rest + state.decoder.end();
      if (rest !== '') this.#append(stream, [rest]);
      state.rest = '';
    }
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  /** RC-82. */
  tail(): string {
    return tailOf(this.#tail);
  }

  #append(stream: LogStream, lines: readonly string[]): void {
    const nowMs = this.#clock.nowMs();
    let text = '';
    for (const line of lines) {
      for (let start = 0; start === 0 || start < line.length; start += MAX_LOG_LINE_BYTES) {
        text += formatLogLine(nowMs, stream, line.slice(start, start + MAX_LOG_LINE_BYTES));
      }
    }
    if (this.#sizeBytes >= this.#maxFileBytes) this.#rotate();
    this.#descriptor ??= this.#open();
    this.#sizeBytes += writeSync(this.#descriptor, text);
  }

  #open(): number {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const descriptor = openSync(this.#path, 'a', 0o600);
    this.#sizeBytes = statSync(this.#path).size;
    return descriptor;
  }

  #rotate(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
    renameSync(this.#path, rotatedName(this.#path));
  }
}
