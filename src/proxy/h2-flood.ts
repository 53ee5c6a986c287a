// Notices clients that make the server work for nothing on HTTP/2: rapid reset, PING, SETTINGS and
// PRIORITY floods, and frames without anything in them. Counts per connection and time window;
// what a client gets done (streams begun, body bytes either way) earns it more of the frames that
// legitimate clients send along with work. Sizes and counts of single messages are limited in
// h2-limits.ts. Hot: `onProgress` runs per chunk and is two additions; the clock is read on
// suspect frames only.

import type { Clock } from '../clock/clock.ts';

/** Over how long the counts below are taken. */
export const FLOOD_WINDOW_MS = 10_000;
/**
 * Streams a client may reset (or have reset by protocol errors) per window, and in any case half of
 * those it began; above it the connection ends with ENHANCE_YOUR_CALM.
 */
export const MAX_RESETS_PER_WINDOW = 400;
/** PINGs per window, one more per chunk or stream; above it the connection ends the same way. */
export const MAX_PINGS_PER_WINDOW = 1_000;
/** SETTINGS per window; above it the connection ends the same way. */
export const MAX_SETTINGS_PER_WINDOW = 100;
/** PRIORITY frames per window, two more per stream; above it the connection ends the same way. */
export const MAX_PRIORITIES_PER_WINDOW = 1_000;

/**
 * Frames of no use per window (empty ones, of unknown types, for streams that ended), one more per
 * stream; above it the connection ends the same way.
 */
export const MAX_EMPTY_FRAMES_PER_WINDOW = 1_000;
/**
 * WINDOW_UPDATEs per window, two more per chunk of at least MIN_CHUNK_BYTES and four per stream;
 * above it the connection ends the same way.
 */
export const MAX_WINDOW_UPDATES_PER_WINDOW = 10_000;
/** Bytes that earn a client two WINDOW_UPDATEs, however they are cut. */
const MIN_CHUNK_BYTES = 64;

export class FloodGuard {
  readonly #clock: Clock;
  #windowEndMs: number;
  #streams = 0;
  #progress = 0;
  #resets = 0;
  #pings = 0;
  #settings = 0;
  #priorities = 0;
  #empty = 0;
  #updates = 0;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowEndMs = clock.monotonicMs() + FLOOD_WINDOW_MS;
  }

  onStream(): void {
    this.#streams += 1;
    this.#progress += 1;
  }

  /** A piece of a body passed. */
  onProgress(bytes = 0): void {
    this.#progress += 1;
    this.#bytes += bytes;
  }

  // Each of these says whether the connection has to end.

  onReset(): boolean {
    this.#turn();
    this.#resets += 1;
    return this.#resets > Math.max(MAX_RESETS_PER_WINDOW, this.#streams / 2);
  }

  onPing(): boolean {
    this.#turn();
    this.#pings += 1;
    return this.#pings > MAX_PINGS_PER_WINDOW + this.#progress;
  }

  onSettings(): boolean {
    this.#turn();
    this.#settings += 1;
    return this.#settings > MAX_SETTINGS_PER_WINDOW;
  }

  onPriority(): boolean {
    this.#turn();
    this.#priorities += 1;
    return this.#priorities > MAX_PRIORITIES_PER_WINDOW + 2 * this.#streams;
  }

  onEmpty(): boolean {
    this.#turn();
    this.#empty += 1;
    return this.#empty > MAX_EMPTY_FRAMES_PER_WINDOW + this.#streams;
  }

  /** Comes with ordinary traffic, so the clock is asked only above the limit. */
  onWindowUpdate(): boolean {
    this.#updates += 1;
    const earned = (2 * this.#bytes) / MIN_CHUNK_BYTES + 4 * this.#streams;
    if (this.#updates <= MAX_WINDOW_UPDATES_PER_WINDOW + earned) return false;
    this.#turn();
    return this.#updates > MAX_WINDOW_UPDATES_PER_WINDOW + earned;
  }

  /** Begins a new window where the last one is over. */
  #turn(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#windowEndMs) return;
    this.#windowEndMs = nowMs + FLOOD_WINDOW_MS;
    this.#streams = 0;
    this.#progress = 0;
    this.#resets = 0;
    this.#pings = 0;
    this.#settings = 0;
    this.#priorities = 0;
    this.#empty = 0;
    this.#updates = 0;
    this.#bytes = 0;
  }
}
