// One watch, from its request to its end: splits the body into lines, parses each and hands it on
// in the same turn, so that an event waits for nothing. How a watch ended is a value, not an
// exception: the informer decides what follows. Invariants: no event after the end; a stream silent
// for too long is ended (a half-open connection would otherwise stall a cache for ever). Warm: once
// per event.

import type { Readable } from 'node:stream';
import type { ApiStatus, KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { listQuery } from './client.ts';
import { ApiError, type KubeClient, type ListOptions, type WatchEvent } from './types.ts';

/** Servers send a bookmark about once a minute (KN-158), so this much silence means a dead peer. */
export const WATCH_IDLE_LIMIT_MS = 120_000;
const IDLE_CHECKS_PER_LIMIT = 4;
/** One event; objects are limited to 3 MiB by the server. */
export const MAX_EVENT_BYTES = 16 * 1024 * 1024;

/**
 * `closed`: the server ended the stream, as it does at `timeoutSeconds`. `gone`: the version asked
 * for is unusable, list again. `failed`: anything else. `stopped`: the signal fired.
 */
export type WatchEnd =
  | { reason: 'closed' | 'stopped' }
  | { reason: 'gone' | 'failed'; error: unknown };

export interface WatchRequest {
  /** Collection path, as from `resourcePath`. */
  path: string;
  selection: ListOptions;
  /** Events after this one; empty = the current state first (KN-155). */
  resourceVersion: string;
  timeoutSeconds: number;
  signal: AbortSignal;
  onEvent: (event: WatchEvent<KubeObject>) => void;
  /** The server accepted; events may follow. */
  onOpen?: () => void;
}

/** Runs one watch; never rejects. */
export async function watchOnce(
  client: KubeClient,
  clock: Clock,
  request: WatchRequest,
): Promise<WatchEnd> {
  const query = listQuery(request.selection, {
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(request.timeoutSeconds),
    ...(request.resourceVersion === '' ? {} : { resourceVersion: request.resourceVersion }),
  });
  try {
    const { signal } = request;
    const response = await client.request('GET', request.path + query, { signal });
    request.onOpen?.();
    return await new Reader(response.body, clock, request).ended;
  } catch (error) {
    return endOf(error, request.signal);
  }
}

function endOf(error: unknown, signal: AbortSignal): WatchEnd {
  if (signal.aborted) return { reason: 'stopped' };
  return { reason: isUnusableVersion(error) ? 'gone' : 'failed', error };
}

/** 410, or a version the server has not reached: it lost its state and counts anew (KN-152). */
function isUnusableVersion(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  if (error.code === 410) return true;
  const causes = error.status.details?.causes ?? [];
  return causes.some((cause) => cause.reason === 'ResourceVersionTooLarge');
}

class Reader {
  readonly ended: Promise<WatchEnd>;
  readonly #body: Readable;
  readonly #request: WatchRequest;
  readonly #splitter = new LineSplitter(MAX_EVENT_BYTES);
  readonly #ticker: { cancel(): void };
  #quietChecks = 0;
  #isDone = false;
  #resolve: (end: WatchEnd) => void = () => undefined;
  readonly #onAbort = (): void => this.#finish({ reason: 'stopped' });

  constructor(body: Readable, clock: Clock, request: WatchRequest) {
    this.#body = body;
    this.#request = request;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const checkMs = WATCH_IDLE_LIMIT_MS / IDLE_CHECKS_PER_LIMIT;
    this.#ticker = clock.setTicker(checkMs, () => this.#checkIdle(), { background: true });
    body.on('data', (chunk: Buffer) => this.#onData(chunk));
    body.on('end', () => this.#onEnd());
    body.on('error', (error) => this.#finish(endOf(error, request.signal)));
    body.on('close', () => this.#finish(endOf(new Error('watch broke off'), request.signal)));
    request.signal.addEventListener('abort', this.#onAbort);
    if (request.signal.aborted) this.#onAbort();
  }

  #onData(chunk: Buffer): void {
    this.#quietChecks = 0;
    try {
      this.#splitter.push(chunk, (line) => this.#onLine(line));
    } catch (error) {
      this.#finish({ reason: 'failed', error });
    }
  }

  #onLine(line: string): void {
    if (this.#isDone) return;
    const event = JSON.parse(line) as WatchEvent<KubeObject>;
    if (event.type === 'ERROR') {
      const error = new ApiError(event.object as unknown as ApiStatus);
      this.#finish(endOf(error, this.#request.signal));
      return;
    }
    this.#request.onEvent(event);
  }

  #onEnd(): void {
    if (this.#splitter.isEmpty) this.#finish({ reason: 'closed' });
    else this.#finish({ reason: 'failed', error: new Error('watch ended inside an event') });
  }

  #checkIdle(): void {
    this.#quietChecks += 1;
    if (this.#quietChecks < IDLE_CHECKS_PER_LIMIT) return;
    const error = new Error(`watch silent for ${WATCH_IDLE_LIMIT_MS} ms`);
    this.#finish({ reason: 'failed', error });
  }

  #finish(end: WatchEnd): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#ticker.cancel();
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#body.destroy();
    this.#resolve(end);
  }
}

/** Cuts bytes at newlines; a line is decoded once, whole, so no character is ever split. */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #parts: Buffer[] = [];
  #partBytes = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** True when no unfinished line is held. */
  get isEmpty(): boolean {
    return this.#partBytes === 0;
  }

  /** Calls `onLine` for every line completed by this chunk; throws when a line is too long. */
  push(chunk: Buffer, onLine: (line: string) => void): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line !== '') onLine(line);
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
  }

  #take(tail: Buffer): string {
    if (this.#partBytes === 0) return tail.toString('utf8');
    this.#parts.push(tail);
    const line = Buffer.concat(this.#parts).toString('utf8');
    this.#parts = [];
    this.#partBytes = 0;
    return line;
  }

  #hold(part: Buffer): void {
    this.#partBytes += part.length;
    if (this.#partBytes > this.#maxLineBytes) {
      throw new Error(`watch event larger than ${this.#maxLineBytes} bytes`);
    }
    this.#parts.push(part);
  }
}
