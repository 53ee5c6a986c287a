// How many connections may be idle over all upstreams (ACT-111). At the limit each connection that
// becomes idle ends the oldest idle one of some upstream, the upstreams taking turns: nearly least
// recently used, without a list every request would have to maintain.
// Invariant: `count` is the number of idle connections of all pools it was given.
// Hot: one addition and one comparison when a request takes or leaves a connection.

/** A pool as far as giving up connections goes. */
export interface IdlePool {
  readonly idleCount: number;
  /** Ends the connection that has been idle for longest. */
  dropOldest(): void;
}

export class IdleLimit {
  readonly #max: number;
  readonly #pools: Iterable<IdlePool>;
  #turn: Iterator<IdlePool>;
  #count = 0;

  /** `max` 0 = no limit. */
  constructor(max: number, pools: Iterable<IdlePool>) {
    this.#max = max > 0 ? max : Number.POSITIVE_INFINITY;
    this.#pools = pools;
    this.#turn = pools[Symbol.iterator]();
  }

  get count(): number {
    return this.#count;
  }

  onIdle(): void {
    this.#count += 1;
    if (this.#count > this.#max) this.#drop();
  }

  onTaken(): void {
    this.#count -= 1;
  }

  /** Two rounds at most, because the first may begin in the middle. */
  #drop(): void {
    for (let ends = 0; ends < 2; ) {
      const { value, done } = this.#turn.next();
      if (done === true) {
        ends += 1;
        this.#turn = this.#pools[Symbol.iterator]();
      } else if (value.idleCount > 0) {
        value.dropOldest();
        return;
      }
    }
  }
}
