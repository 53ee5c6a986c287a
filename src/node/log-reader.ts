// Reads container logs for the API's log endpoint (KN-231): the files the root process writes, a
// chunk at a time, filtered by the request's options. Following looks at the file again every
// 100 ms, survives a rotation and ends when the container has.

import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../clock/clock.ts';
import { type LogLine, nanosecondTimestamp, parseLogLine, rotatedName } from './log-format.ts';

/** The members of the API server's PodLogOptions. */
export interface LogReadOptions {
  follow: boolean;
  previous: boolean;
  tailLines: number | null;
  sinceTimeMs: number | null;
  timestamps: boolean;
}

const CHUNK_BYTES = 64 * 1024;
const FOLLOW_PERIOD_MS = 100;
/** `tailLines` beyond this is the whole file anyway. */
const MAX_TAIL_LINES = 200_000;

export interface LogReaderOptions {
  /** The folder that holds one folder per pod. */
  root: string;
  clock: Clock;
  isLive(namespace: string, pod: string, container: string): boolean;
}

/** Null: this container has no such log (yet). */
export function openPodLog(
  reader: LogReaderOptions,
  namespace: string,
  pod: string,
  container: string,
  options: LogReadOptions,
): Readable | null {
  const path = findLog(reader.root, namespace, pod, container, options.previous);
  if (path === null) return null;
  const isLive = () => !options.previous && reader.isLive(namespace, pod, container);
  return Readable.from(readLog(path, options, isLive, reader.clock), { objectMode: false });
}

/** The file of the newest run, or of the one before it. */
export function findLog(
  root: string,
  namespace: string,
  pod: string,
  container: string,
  previous: boolean,
): string | null {
  const folders = listFolder(root).filter((name) => name.startsWith(`${namespace}_${pod}_`));
  for (const folder of folders) {
    const path = join(root, folder, container);
    const attempts = listFolder(path)
      .flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a);
    const attempt = attempts[previous ? 1 : 0];
    if (attempt !== undefined) return join(path, `${attempt}.log`);
  }
  return null;
}

async function* readLog(
  path: string,
  options: LogReadOptions,
  isLive: () => boolean,
  clock: Clock,
): AsyncGenerator<string> {
  const older = new LogFile(rotatedName(path));
  let file = new LogFile(path);
  try {
    const kept = selectTail([...linesOf(older), ...linesOf(file)], options);
    for (let start = 0; start < kept.length; start += 1000) {
      yield render(kept.slice(start, start + 1000), options);
    }
    while (options.follow) {
      // Asked before reading: what was written before the end is read after it.
      const wasLive = isLive();
      if (file.isRotated(path)) {
        const rest = linesOf(file);
        file.close();
        file = new LogFile(path);
        if (rest.length > 0) yield render(rest, options);
      }
      const lines = linesOf(file);
      if (lines.length > 0) yield render(lines, options);
      else if (!wasLive) return;
      else await clock.sleep(FOLLOW_PERIOD_MS);
    }
  } finally {
    older.close();
    file.close();
  }
}

function selectTail(lines: readonly LogLine[], options: LogReadOptions): readonly LogLine[] {
  const { sinceTimeMs, tailLines } = options;
  const since = sinceTimeMs === null ? '' : new Date(sinceTimeMs).toISOString();
  const kept = since === '' ? lines : lines.filter((line) => line.timestamp >= since);
  if (tailLines === null) return kept;
  return tailLines === 0 ? [] : kept.slice(-Math.min(tailLines, MAX_TAIL_LINES));
}

function render(lines: readonly LogLine[], options: LogReadOptions): string {
  let text = '';
  for (const line of lines) {
    if (options.timestamps) text += `${nanosecondTimestamp(line.timestamp)} `;
    text += `${line.text}\n`;
  }
  return text;
}

function linesOf(file: LogFile): LogLine[] {
  const lines: LogLine[] = [];
  for (const line of file.readLines()) {
    const parsed = parseLogLine(line);
    if (parsed !== undefined) lines.push(parsed);
  }
  return lines;
}

/** A file read from front to end, remembering how far; a missing file is an empty one. */
class LogFile {
  readonly #descriptor: number | null;
  readonly #decoder = new StringDecoder('utf8');
  readonly #inode: number;
  #rest = '';

  constructor(path: string) {
    this.#descriptor = openIfExists(path);
    this.#inode = this.#descriptor === null ? 0 : fstatSync(this.#descriptor).ino;
  }

  /** Complete lines since the last call. */
  readLines(): string[] {
    if (this.#descriptor === null) return [];
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let text = this.#rest;
    for (;;) {
      const read = readSync(this.#descriptor, buffer, 0, CHUNK_BYTES, null);
      if (read === 0) break;
      text += this.#decoder.write(buffer.subarray(0, read));
    }
    const lines = text.split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  /** Another file has taken its name, or it had none yet and now has. */
  isRotated(path: string): boolean {
    const now = openIfExists(path);
    if (now === null) return false;
    const { ino } = fstatSync(now);
    closeSync(now);
    return ino !== this.#inode;
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

function openIfExists(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
