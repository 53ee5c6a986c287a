// What a client connection needs of the server that accepted it, and who is at its other end.

import type { Socket } from 'node:net';
import type { Clock } from '../clock/clock.ts';
import type { Http2Acceptor } from './protocol-choice.ts';
import type { PauseObserver } from './read-pause.ts';
import type { DateLine } from './replies.ts';
import type { ServerConnection } from './server-connection.ts';
import type { ExchangeHandler, HttpServerLimits } from './types.ts';

const IPV4_MAPPED = '::ffff:';

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly handler: ExchangeHandler;
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly date: DateLine;
  readonly isDraining: boolean;
  /** Connections are inside of TLS. */
  readonly isSecure?: boolean;
  /** Null or absent where HTTP/2 is not served. */
  readonly http2?: Http2Acceptor | null;
  /** Told of clients nothing is read from for a while. */
  readonly departures?: PauseObserver<ServerConnection>;
  /** Counts up while the server runs; a head must not take more than HEAD_TICKS of it. */
  readonly tick: number;
  /** A request was refused before any role saw it, or its body broke the framing. */
  onRejected(): void;
  onTunnel(connection: ServerConnection): void;
  onConnectionClosed(connection: ServerConnection): void;
}

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Server ticks a request head may take; one tick is a quarter of the head timeout. */
export const HEAD_TICKS = 5;

/** The client's address; IPv4 clients of an IPv6 listener are shown as IPv4. */
export function peerOf(socket: Socket): Peer {
  const address = socket.remoteAddress ?? '';
  return {
    address: address.startsWith(IPV4_MAPPED) ? address.slice(IPV4_MAPPED.length) : address,
    port: socket.remotePort ?? 0,
  };
}
