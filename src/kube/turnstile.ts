// Lets so many callers in at once; the others wait in order. The number that may wait is bounded by
// whoever calls. Invariants: at most `places` callers are inside; a place that is freed goes to the
// longest waiting.

export class Turnstile {
  readonly #places: number;
  #inside = 0;
  readonly #waiting = new Set<() => void>();

  constructor(places: number) {
    this.#places = places;
  }

  /** null = inside at once; otherwise inside when the promise resolves. */
  enter(): Promise<void> | null {
    if (this.#inside < this.#places) {
      this.#inside += 1;
      return null;
    }
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** Every `enter` needs exactly one. */
  leave(): void {
    const next = this.#waiting.values().next().value;
    if (next === undefined) {
      this.#inside -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
