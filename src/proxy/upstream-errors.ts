// The texts of QP-82: what a role tells the client, in the words of the reference, when an upstream
// failed. Not hot.

import type { Socket } from 'node:net';
import { FailureCode, type UpstreamFailure } from './types.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Of a malformed answer's first line, as shown in errors; the rest is cut off. */
const MAX_SHOWN_CHARACTERS = 80;

const CONNECT_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  EADDRNOTAVAIL: 'cannot assign requested address',
};

/** `host:port`, an IPv6 address in brackets. */
export function authorityOf(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

export function connectFailureCode(error: NodeJS.ErrnoException): FailureCode {
  return error.code === 'ECONNREFUSED' ? FailureCode.CONNECT_REFUSED : FailureCode.CONNECT_ERROR;
}

export function describeConnectError(error: NodeJS.ErrnoException, address: Address): string {
  const text = CONNECT_TEXTS[error.code ?? ''] ?? error.message;
  return `dial tcp ${authorityOf(address)}: connect: ${text}`;
}

export function describeDialTimeout(address: Address, elapsedMs: number): string {
  return `timed out dialing ${authorityOf(address)} after ${(elapsedMs / 1000).toFixed(2)}s`;
}

export function describeSocketError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  address: Address,
): string {
  const local = authorityOf({ host: socket.localAddress ?? '', port: socket.localPort ?? 0 });
  const path = `tcp ${local}->${authorityOf(address)}`;
  if (error.code === 'ECONNRESET') return `read ${path}: read: connection reset by peer`;
  if (error.code === 'EPIPE') return `write ${path}: write: broken pipe`;
  return `read ${path}: ${error.message}`;
}

export function malformedResponse(text: string): string {
  const lineEnd = text.indexOf('\r\n');
  const line = (lineEnd < 0 ? text : text.slice(0, lineEnd)).slice(0, MAX_SHOWN_CHARACTERS);
  const what = 'net/http: HTTP/1.x transport connection broken: malformed HTTP response';
  return `${what} ${quoted(line)}`;
}

/** Printable ASCII in quotes, everything else escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** What a handler hears; after a reset that may have been chance, that it may be sent again. */
export function failureOf(
  code: FailureCode,
  message: string,
  sent: boolean,
  mayRepeat: boolean,
): UpstreamFailure {
  const failure = { code, sent, message };
  return mayRepeat && code === FailureCode.RESET ? { ...failure, isRepeatable: true } : failure;
}

/** For process.nextTick, without a closure. */
export function failLater(exchange: { failForward(problem: string): void }, problem: string): void {
  exchange.failForward(problem);
}
