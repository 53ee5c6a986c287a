// Whether a stream is paused, so that pausing twice costs nothing and resuming happens once.

import type { Readable } from 'node:stream';

export class ReadPause {
  readonly #stream: Readable;
  #isPaused = false;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  set(shouldPause: boolean): void {
    if (shouldPause === this.#isPaused) return;
    this.#isPaused = shouldPause;
    if (shouldPause) this.#stream.pause();
    else this.#stream.resume();
  }
}
