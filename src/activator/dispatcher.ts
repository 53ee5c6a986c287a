// Spreads the release of many held requests over turns of the event loop, so that one revision with
// thousands of them waking up does not stall every other revision. Within a turn's budget a request
// goes out at once; beyond it revisions take turns, one request each. Order within a revision is
// first in, first out. Bounded by the gates' queues: only requests a gate admitted get here.

/** A request that may run. The fields belong to the dispatcher. */
export interface Dispatchable {
  nextReady: Dispatchable | null;
  /** Sends the request on its way. A request that has ended meanwhile does nothing. */
  dispatch(): void;
}

/** Requests sent on per turn of the event loop; about 1 ms of work. */
const MAX_DISPATCHES_PER_TURN = 64;

/** One revision's requests waiting for their turn. */
export class DispatchLane {
  head: Dispatchable | null = null;
  tail: Dispatchable | null = null;
}

export class Dispatcher {
  #budget = MAX_DISPATCHES_PER_TURN;
  #isTurnScheduled = false;
  /** Lanes with requests, in the order of their turns. */
  readonly #lanes: DispatchLane[] = [];
  #nextLane = 0;

  submit(lane: DispatchLane, item: Dispatchable): void {
    if (this.#lanes.length === 0 && this.#budget > 0) {
      this.#spend();
      item.dispatch();
      return;
    }
    if (lane.tail === null) {
      lane.head = item;
      this.#lanes.push(lane);
    } else {
      lane.tail.nextReady = item;
    }
    lane.tail = item;
    this.#scheduleTurn();
  }

  #spend(): void {
    this.#budget -= 1;
    this.#scheduleTurn();
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnScheduled = false;
    this.#budget = MAX_DISPATCHES_PER_TURN;
    while (this.#lanes.length > 0 && this.#budget > 0) {
      this.#budget -= 1;
      this.#takeNext().dispatch();
    }
    if (this.#lanes.length > 0) this.#scheduleTurn();
  }

  #takeNext(): Dispatchable {
    if (this.#nextLane >= this.#lanes.length) this.#nextLane = 0;
    const lane = this.#lanes[this.#nextLane] as DispatchLane;
    const item = lane.head as Dispatchable;
    lane.head = item.nextReady;
    item.nextReady = null;
    if (lane.head === null) {
      lane.tail = null;
      this.#lanes.splice(this.#nextLane, 1);
    } else {
      this.#nextLane += 1;
    }
    return item;
  }
}
