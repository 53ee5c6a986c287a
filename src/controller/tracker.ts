// Remembers which objects look at which others by name (CP-11), so that a change, or the arrival,
// of the latter wakes the former. Bounded by what reconcilers refer to: an observer's references
// are replaced on each pass and dropped when it goes.

export class ReferenceTracker {
  readonly #observersOf = new Map<string, Set<string>>();
  readonly #targetsOf = new Map<string, ReadonlySet<string>>();

  /** From now on `observer` looks at exactly `targets`; both are keys chosen by the caller. */
  track(observer: string, targets: Iterable<string>): void {
    const wanted = new Set(targets);
    for (const old of this.#targetsOf.get(observer) ?? []) {
      if (!wanted.has(old)) this.#unlink(observer, old);
    }
    for (const target of wanted) {
      const observers = this.#observersOf.get(target) ?? new Set<string>();
      observers.add(observer);
      this.#observersOf.set(target, observers);
    }
    if (wanted.size === 0) this.#targetsOf.delete(observer);
    else this.#targetsOf.set(observer, wanted);
  }

  forget(observer: string): void {
    this.track(observer, []);
  }

  observersOf(target: string): Iterable<string> {
    return this.#observersOf.get(target) ?? [];
  }

  /** How many targets are looked at. */
  get size(): number {
    return this.#observersOf.size;
  }

  #unlink(observer: string, target: string): void {
    const observers = this.#observersOf.get(target);
    observers?.delete(observer);
    if (observers?.size === 0) this.#observersOf.delete(target);
  }
}
