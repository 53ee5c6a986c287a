// Notices clients that leave while what they sent waits unread (QP-172): a paused socket is not
// polled, so neither its end nor its reset would show before somebody reads on, and a place in the
// gate's queue would stay taken. The kernel's socket table knows both. It is read only while a
// client is paused, a few times a second, and the less often the longer it is.
// A socket that is in the table no more was reset; twice missing, because rows can be passed over
// while the table changes. One whose end has come may still want its answer: it is asked
// (HalfClose). An end that cannot even be sent, because the unread bytes fill the window, shows in
// the client's own row, where client and sidecar share a machine. Without such a table (not Linux)
// departures show at the next read. Cold.

import { readFile } from 'node:fs/promises';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { HalfClose } from './half-close.ts';
import type { ServerConnection } from './server-connection.ts';

const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6'];
const LOOK_PERIOD_MS = 200;
/** Socket table read per look on average; a longer one is looked at that much less often. */
const TABLE_BYTES_PER_LOOK = 512 * 1024;
const MISSING_LOOKS = 2;
/** Local port, remote port, state; addresses are left out, see `#judge`. */
const ROW = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) /gm;
/** States after an end was sent, FIN_WAIT1 and FIN_WAIT2, or received, CLOSE_WAIT. */
const STATES_ENDED = new Set(['04', '05', '08']);

interface Watched {
  readonly connection: ServerConnection;
  missingLooks: number;
  asking: HalfClose | null;
}

export class DepartureWatch {
  readonly #clock: Clock;
  readonly #watched = new Map<ServerConnection, Watched>();
  readonly #readTable: () => Promise<string>;
  #ticker: TimerHandle | null = null;
  #looksToSkip = 0;
  #isLooking = false;
  #isPossible = true;

  constructor(clock: Clock, readTable: () => Promise<string> = readSocketTable) {
    this.#clock = clock;
    this.#readTable = readTable;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** `connection` reads no more, or again. */
  onReadPause(connection: ServerConnection, isPaused: boolean): void {
    if (!isPaused) {
      this.#forget(connection);
      return;
    }
    if (!this.#isPossible) return;
    this.#watched.set(connection, { connection, missingLooks: 0, asking: null });
    this.#ticker ??= this.#clock.setTicker(LOOK_PERIOD_MS, () => void this.#look(), {
      background: true,
    });
  }

  stop(): void {
    for (const connection of [...this.#watched.keys()]) this.#forget(connection);
    this.#stopLooking();
  }

  #forget(connection: ServerConnection): void {
    this.#watched.get(connection)?.asking?.stop();
    this.#watched.delete(connection);
  }

  #stopLooking(): void {
    this.#ticker?.cancel();
    this.#ticker = null;
  }

  async #look(): Promise<void> {
    for (const connection of [...this.#watched.keys()]) {
      if (connection.socket.destroyed) this.#forget(connection);
    }
    // Only here: an upload may be paused and resumed many times between two looks.
    if (this.#watched.size === 0) this.#stopLooking();
    if (this.#isLooking || this.#watched.size === 0) return;
    if (this.#looksToSkip > 0) {
      this.#looksToSkip -= 1;
      return;
    }
    // Who pauses during the read may be missing from the table without having left.
    const watched = [...this.#watched.values()];
    this.#isLooking = true;
    const table = await this.#readTable();
    this.#isLooking = false;
    if (table === '') this.#giveUp();
    else this.#judge(watched, statesIn(table));
    this.#looksToSkip = Math.floor(table.length / TABLE_BYTES_PER_LOOK);
  }

  /** Connections of the same two ports, at other addresses, are taken for alive if one is. */
  #judge(watched: readonly Watched[], states: ReadonlyMap<string, readonly string[]>): void {
    for (const entry of watched) {
      const { connection } = entry;
      const localPort: unknown = Reflect.get(connection.socket, 'localPort');
      // Paused once more since, or gone, or no TCP socket.
      if (this.#watched.get(connection) !== entry || typeof localPort !== 'number') continue;
      const ours = states.get(rowKey(localPort, connection.peerPort));
      const theirs = states.get(rowKey(connection.peerPort, localPort));
      entry.missingLooks = ours === undefined ? entry.missingLooks + 1 : 0;
      if (entry.missingLooks >= MISSING_LOOKS) connection.destroy();
      else if (haveEnded(ours) || haveEnded(theirs)) this.#ask(entry);
    }
  }

  #ask(entry: Watched): void {
    const { exchange, socket } = entry.connection;
    if (entry.asking !== null || exchange === null) return;
    entry.asking = HalfClose.ask(this.#clock, socket, exchange);
  }

  #giveUp(): void {
    this.#isPossible = false;
    this.stop();
  }
}

/** '' where there is no such table. */
async function readSocketTable(): Promise<string> {
  const read = (path: string): Promise<string> => readFile(path, 'latin1').catch(() => '');
  return (await Promise.all(TABLES.map(read))).join('');
}

/** States of all sockets by `rowKey`. */
function statesIn(table: string): Map<string, string[]> {
  const states = new Map<string, string[]>();
  for (const [, local, remote, state] of table.matchAll(ROW)) {
    const key = `${local}:${remote}`;
    const known = states.get(key);
    if (known === undefined) states.set(key, [state!]);
    else known.push(state!);
  }
  return states;
}

function haveEnded(states: readonly string[] | undefined): boolean {
  return states?.every((state) => STATES_ENDED.has(state)) ?? false;
}

function rowKey(localPort: number, remotePort: number): string {
  return `${portText(localPort)}:${portText(remotePort)}`;
}

function portText(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}
