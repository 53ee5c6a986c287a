// Whether a stream is paused, so that pausing twice costs nothing and resuming happens once.

interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

/** Told when `owner` stops reading and when it goes on. */
export interface PauseObserver<Owner> {
  onReadPause(owner: Owner, isPaused: boolean): void;
}

export class ReadPause<Owner = null> {
  readonly #stream: Pausable;
  readonly #observer: PauseObserver<Owner> | null;
  readonly #owner: Owner | null;
  #isPaused = false;

  constructor(
    stream: Pausable,
    observer: PauseObserver<Owner> | null = null,
    owner: Owner | null = null,
  ) {
    this.#stream = stream;
    this.#observer = observer;
    this.#owner = owner;
  }

  set(shouldPause: boolean): void {
    if (shouldPause === this.#isPaused) return;
    this.#isPaused = shouldPause;
    if (shouldPause) this.#stream.pause();
    else this.#stream.resume();
    if (this.#owner !== null) this.#observer?.onReadPause(this.#owner, shouldPause);
  }
}
