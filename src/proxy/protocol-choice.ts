// HTTP/1.x or HTTP/2 on one port, by the first bytes (QP-2, QP-3). The preface of HTTP/2 was made
// to look like a request head no HTTP/1 server accepts, so our codec finds it where it refuses a
// version it does not know: connections of HTTP/1.x pay nothing for the choice. Not hot.

import type { ClientSocket } from './client-closing.ts';
import type { Peer } from './connection-host.ts';

/** The part of the client connection preface (RFC 9113 section 3.4) that reads as a head. */
const PREFACE_HEAD = 'PRI * HTTP/2.0\r\n\r\n';

/** Takes over connections that speak HTTP/2. */
export interface Http2Acceptor {
  /** `socket` is read by nobody and holds every byte it received. */
  accept(socket: ClientSocket, peer: Peer): void;
  readonly connectionCount: number;
  /** Requests refused before any role saw them. */
  readonly rejectedCount: number;
  /**
   * Tells clients to go away; streams that run are finished, new ones refused. Resolves when the
   * last connection has ended.
   */
  drain(): Promise<void>;
  /** Closes everything now, except that complete answers still go out. */
  close(): Promise<void>;
}

/** Whether the head of `length` bytes at `bytes[base]` is the beginning of the preface. */
export function isPrefaceHead(bytes: Buffer, base: number, length: number): boolean {
  if (length !== PREFACE_HEAD.length) return false;
  return bytes.toString('latin1', base, base + length) === PREFACE_HEAD;
}

/** A connection that gives up its socket. */
interface Leaver {
  readonly host: { readonly http2?: Http2Acceptor | null };
  readonly socket: ClientSocket;
  readonly peerAddress: string;
  readonly peerPort: number;
}

/** Gives a socket, which nobody reads any more, to the HTTP/2 side as if nobody had. */
export function handOver(leaver: Leaver, bytes: Uint8Array): void {
  const { socket } = leaver;
  socket.removeAllListeners('data');
  socket.pause();
  socket.unshift(bytes);
  leaver.host.http2?.accept(socket, { address: leaver.peerAddress, port: leaver.peerPort });
}
