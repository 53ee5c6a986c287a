// Flow control of what a client sends, for the connection as a whole (RFC 9113 section 6.9). Its
// window opens again as bytes arrive, not as they are read: bodies that wait for their turn must
// not stop the ones that run, whose ends they may wait for. What waits is bounded by
// MAX_HELD_BYTES instead. Invariant: window + uncredited = CONNECTION_WINDOW_BYTES. Hot: once per
// DATA frame.

import { CONNECTION_WINDOW_BYTES } from '../h2-limits.ts';

/**
 * Body bytes of all streams of a connection that nobody has read yet; at it the connection's window
 * is not opened any more until some are.
 */
const MAX_HELD_BYTES = 16 << 20;

export interface WindowUpdater {
  windowUpdate(streamId: number, bytes: number): void;
}

export class Inflow {
  readonly #updater: WindowUpdater;
  #window = CONNECTION_WINDOW_BYTES;
  #uncredited = 0;
  #held = 0;

  constructor(updater: WindowUpdater) {
    this.#updater = updater;
  }

  /** False when the client sent more than it may. */
  onReceived(bytes: number): boolean {
    this.#window -= bytes;
    this.#uncredited += bytes;
    if (this.#window < 0) return false;
    this.#credit();
    return true;
  }

  /** Bytes begin to wait (above 0) or were read (below 0). */
  onHeld(bytes: number): void {
    this.#held += bytes;
    if (bytes < 0) this.#credit();
  }

  #credit(): void {
    const uncredited = this.#uncredited;
    if (uncredited < CONNECTION_WINDOW_BYTES / 2 || this.#held >= MAX_HELD_BYTES) return;
    this.#updater.windowUpdate(0, uncredited);
    this.#window += uncredited;
    this.#uncredited = 0;
  }
}
