// Memory for bytes of requests that nobody reads yet, over all connections of a server: bodies of
// requests that wait for an application, on either protocol. Each connection has a limit of its
// own, which is no bound when thousands of requests are held. A request whose body would need more
// than there is left gets 503 instead of a place. Counts what was allocated, not what is used.
// Hot only where bytes have to wait: two additions each.

import { answerError } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import type { NetExchange } from './net-exchange.ts';

export class HeldBytes {
  readonly limit: number;
  #bytes = 0;

  /** `limit` in bytes, above 0. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** More is held than may be: who is the last to come has to go. */
  get isExceeded(): boolean {
    return this.#bytes > this.limit;
  }

  /** Bytes were allocated (above 0) or given back (below 0). */
  add(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** Above the limit a request that waits for an application with a part of its body is answered. */
export function refuseBeyond(held: HeldBytes | undefined, exchange: NetExchange | null): void {
  if (held === undefined || !held.isExceeded || exchange === null) return;
  if (exchange.isHeld && !exchange.requestComplete) answerError(exchange, ERRORS.BODIES_FULL);
}
