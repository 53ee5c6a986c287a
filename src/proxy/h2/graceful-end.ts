// How a connection ends without losing a request (RFC 9113 section 6.8). GOAWAY first names the
// highest id there is, so that requests on their way are still served, and a PING behind it comes
// back once the client has read it; then a second GOAWAY names the last stream that was served, and
// the connection ends when the streams it carries have. Not hot.

import type { Clock, TimerHandle } from '../../clock/clock.ts';
import { Http2Code } from '../h2-codes.ts';
import { LARGEST_WINDOW } from './frames.ts';
import type { Outlet } from './outlet.ts';
import type { StreamTable } from './stream-table.ts';

/** How long a client may take to notice; then it has to do without. */
const NOTICE_MS = 1_000;
const LARGEST_ID = LARGEST_WINDOW;
const PING = Buffer.from('go away.', 'latin1');

export interface Ending {
  readonly host: { readonly clock: Clock };
  readonly outlet: Outlet;
  readonly streams: StreamTable;
  /** Everything is out that will go. */
  finishGently(): void;
}

export class GracefulEnd {
  readonly #connection: Ending;
  #hasAnnounced = false;
  /** The last GOAWAY is out: streams the client begins from now on are refused. */
  refuses = false;
  #timer: TimerHandle | null = null;

  constructor(connection: Ending) {
    this.#connection = connection;
  }

  announce(): void {
    if (this.#hasAnnounced) return;
    this.#hasAnnounced = true;
    const { host, outlet } = this.#connection;
    outlet.goaway(LARGEST_ID, Http2Code.NO_ERROR);
    outlet.ping(0, PING);
    this.#timer = host.clock.setTimer(NOTICE_MS, () => this.#onNoticed(), { background: true });
  }

  /** An answer to a PING; we send no other than ours. */
  onPong(): void {
    if (this.#timer !== null) this.#onNoticed();
  }

  /** No request is accepted from here on. */
  sayLast(): void {
    if (this.refuses) return;
    this.refuses = true;
    this.#hasAnnounced = true;
    const { outlet, streams } = this.#connection;
    outlet.goaway(streams.lastId, Http2Code.NO_ERROR);
  }

  /** A stream has ended, or it was time to look. */
  check(): void {
    if (this.refuses && this.#connection.streams.size === 0) this.#connection.finishGently();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #onNoticed(): void {
    this.stop();
    this.sayLast();
    this.check();
  }
}
