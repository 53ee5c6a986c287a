// What an HTTP/2 connection needs of its server.

import type { Clock } from '../../clock/clock.ts';
import type { HeldBytes } from '../held-bytes.ts';
import type { ExchangeHandler } from '../types.ts';
import type { Http2Connection } from './connection.ts';

export interface Http2Host {
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  /** Value of a `date` field, now. */
  readonly date: string;
  /** How long a client may take to complete its preface, and any field block it began. */
  readonly headTimeoutMs: number;
  /** What bodies nobody reads yet may take over all connections; absent = no limit. */
  readonly held?: HeldBytes | undefined;
  /** Inside of TLS. */
  readonly isSecure: boolean;
  /** A request was refused before any role saw it. */
  onRejected(): void;
  /** The connection ended itself because of what its client did. */
  onFlood(connection: Http2Connection, what: string): void;
  onClosed(connection: Http2Connection): void;
}
