// Names and lines of container log files, for those who write them (the root process) and those who
// read them (the API server's log endpoint). Pure. One line of a file is
// `<RFC 3339, milliseconds> <o|e> <text>`, stdout and stderr in the order they arrived.

import { join } from 'node:path';

/** A file is rotated at this size; one older file is kept. */
export const MAX_LOG_FILE_BYTES = 8 * 1024 * 1024;
/** Longer lines are cut into pieces of this size, as container runtimes do. */
export const MAX_LOG_LINE_BYTES = 16 * 1024;
/** RC-82. */
const TAIL_LINES = 80;
const TAIL_BYTES = 2048;

export type LogStream = 'stdout' | 'stderr';

export interface LogOwner {
  namespace: string;
  podName: string;
  podUid: string;
  container: string;
}

export function podLogFolder(owner: Omit<LogOwner, 'container'>): string {
  return `${owner.namespace}_${owner.podName}_${owner.podUid}`;
}

export function logFile(root: string, owner: LogOwner, attempt: number): string {
  return join(root, podLogFolder(owner), owner.container, `${attempt}.log`);
}

export function rotatedName(path: string): string {
  return `${path}.1`;
}

export function formatLogLine(nowMs: number, stream: LogStream, text: string): string {
  return `${new Date(nowMs).toISOString()} ${stream === 'stdout' ? 'o' : 'e'} ${text}\n`;
}

export interface LogLine {
  timestamp: string;
  text: string;
}

/** Undefined for a line that is none of ours (a write cut short by a crash). */
export function parseLogLine(line: string): LogLine | undefined {
  const match = /^(\S+Z) [oe] (.*)$/s.exec(line);
  return match === null ? undefined : { timestamp: match[1] ?? '', text: match[2] ?? '' };
}

/** KN-231: nanoseconds, of which the last six are not known. */
export function nanosecondTimestamp(timestamp: string): string {
  return timestamp.replace(/\.(\d{3})Z$/, '.$1000000Z');
}

/** The end of a log that still fits into a termination message: 80 lines and 2048 bytes. */
export function tailOf(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  let tail = text;
  if (bytes.length > TAIL_BYTES) {
    // A cut inside a character shows as U+FFFD at the front.
    tail = bytes
      .subarray(bytes.length - TAIL_BYTES)
      .toString('utf8')
      .replace(/^\uFFFD+/, '');
  }
  const lines = tail.split('\n');
  const ended = lines.at(-1) === '' ? 1 : 0;
  return lines.slice(-(TAIL_LINES + ended)).join('\n');
}
