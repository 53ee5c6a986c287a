// What an HTTP/1.1 exchange needs of the client's side, whichever engine reads and writes there:
// ServerConnection over a socket of our own, UwsClient over µWebSockets.js. The rules of forwarding
// (retries, timeouts, header edits, failures, tunnels) are in the exchange and so the same on both.
// Hot: on the default engine there is one implementation, so calls stay monomorphic.

import type { Clock } from '../clock/clock.ts';
import type { NetExchange } from './net-exchange.ts';
import type { ResponseHead } from './response-head.ts';
import type { ExchangeHandler, Outcome } from './types.ts';

/** Takes answers for the client, framed its way. */
export interface ClientAnswer {
  /** True while the client does not keep up; `onClientDrain` of the exchange follows. */
  readonly isCongested: boolean;
  /** A local answer: `lead` is its whole head. */
  reply(lead: string, body: string | Uint8Array): void;
  /** An interim head, at once, where the engine can. */
  interim(text: string): void;
  /** Chooses the framing; true when only the end of the connection can end the answer. */
  frame(head: ResponseHead, clientMinor: number): boolean;
  /** Prepares the head; `write` must follow. `extra` are whole lines. */
  start(head: ResponseHead, clientMinor: number, closes: boolean, extra: string): void;
  /** Body or tunnel bytes, borrowed for the call; `isLast` ends the answer. */
  write(buffer: Buffer, start: number, end: number, isLast: boolean, trailers: string): void;
  /** The application ended the tunnel: ends our direction after what was written. */
  endTunnel(): void;
}

export interface ExchangeClient {
  readonly host: {
    readonly isDraining: boolean;
    readonly isSecure?: boolean;
    readonly date: { get(): string };
  };
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly answer: ClientAnswer;
  /** The exchange under way; what its head says is readable exactly while it is this one. */
  readonly exchange: NetExchange | null;
  /** The time, not asked for again while the read that brought `readMs` is being handled. */
  stepMs(readMs: number): number;
  /** Goes on with what was held back, because the exchange may take it now. */
  pump(): void;
  startTunnel(): void;
  onExchangeEnd(exchange: NetExchange, outcome: Outcome): void;
}
