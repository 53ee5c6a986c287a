// What the data-plane roles (queue-proxy, activator, gateway) see of HTTP. A server engine parses
// one request head, hands an Exchange to the role, and the role answers it (`respond`) or forwards
// it to an upstream (`forward`). Each exchange ends exactly once in `onEnd`, whatever happened, so
// that is where slots are released and statistics are counted. No closures or promises per request:
// handlers are methods, per-request state of the role hangs on `exchange.context`. Hot: everything
// here runs per request.

import type { Server } from 'node:net';
import type { HeldBytes } from './held-bytes.ts';

/** How an exchange ended; small integers because they are compared per request. */
export const Outcome = {
  /** The whole answer was handed to the client's socket. */
  COMPLETE: 0,
  /** The client went away first. */
  CLIENT_GONE: 1,
  /** The answer had started and could not be finished; the client's connection was aborted. */
  TRUNCATED: 2,
  /** The role called `abort`. */
  ABORTED: 3,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Why forwarding failed before a final answer head arrived. */
export const FailureCode = {
  CONNECT_REFUSED: 1,
  CONNECT_TIMEOUT: 2,
  CONNECT_ERROR: 3,
  /** The upstream closed without answering (`EOF`). */
  CLOSED: 4,
  RESET: 5,
  /** The upstream's answer is not HTTP/1.x we accept. */
  MALFORMED_RESPONSE: 6,
  /** Upgrade answered with another protocol, QP-82. */
  UPGRADE_MISMATCH: 7,
} as const;
export type FailureCode = (typeof FailureCode)[keyof typeof FailureCode];

export interface UpstreamFailure {
  readonly code: FailureCode;
  /** True once any byte of the request may have reached the upstream: no retry elsewhere then. */
  readonly sent: boolean;
  /**
   * The connection was reset before any byte of an answer, which is what happens to a request that
   * was not read, and a second copy does no harm (QP-64): may be forwarded again although `sent`.
   */
  readonly isRepeatable?: boolean;
  /** QP-82 text. */
  readonly message: string;
}

/** One upstream address with its own keep-alive pool; made by UpstreamPools, kept by the role. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** Header changes for one forward. Compile once per route or revision, not per request. */
export interface HeaderEdits {
  /** Lower-case names dropped in addition to the hop-by-hop ones. */
  readonly drop: ReadonlySet<string>;
  /** Whole lines to add, each `Name: value\r\n`; names set here must be in `drop` to replace. */
  readonly add: string;
  /** Replaces Host when not null. */
  readonly host: string | null;
  /** Append the peer's address to X-Forwarded-For (QP-67). */
  readonly forwardedFor: boolean;
}

/** Protocol of the client's side: HTTP/1.0, HTTP/1.1, HTTP/2. */
export type HttpVersion = 10 | 11 | 20;

export interface Exchange {
  readonly method: string;
  /** Raw request target in origin form, byte-exact (QP-58). */
  readonly target: string;
  /** Host header or authority of an absolute target; '' when a 1.0 request had none. */
  readonly host: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1 and for HTTP/2, which has no minor version. */
  readonly minorVersion: number;
  /** 10, 11 or 20. */
  readonly httpVersion: HttpVersion;
  /** Declared body length; 0 = no body, -1 = chunked. */
  readonly contentLength: number;
  readonly isUpgrade: boolean;
  /** Peer address without port. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The client speaks TLS to us; absent = it does not. */
  readonly isSecure?: boolean;
  /** First line of that header, trimmed; '' when absent. `name` is lower-case. */
  header(name: string): string;
  /** Every header line in order, repeated names included, as sent but for trimming. Cold path. */
  headers(): Iterable<readonly [name: string, value: string]>;
  /** True once a final head or any body byte was handed to the client's socket. */
  readonly responseStarted: boolean;
  /** Status handed to the client, 0 before. */
  readonly responseStatus: number;
  /** Answer body bytes handed to the client's socket so far. */
  readonly responseBytes: number;
  /** Request body bytes read so far. */
  readonly requestBytes: number;
  readonly ended: boolean;
  /** The role's per-request object; null until the role sets it. */
  context: unknown;

  /**
   * Answers locally. `headers` are whole lines; Content-Length and Date are added. A string body is
   * sent as UTF-8, bytes as they are.
   */
  respond(status: number, headers: string, body: string | Uint8Array): void;
  /**
   * Sends the request to `upstream`, relays the answer. Again from onUpstreamFailure, if need be.
   */
  forward(upstream: Upstream, edits: HeaderEdits): void;
  /** Drops an upstream under way so that `respond` can answer instead; no-op without one. */
  cancelForward(): void;
  /** Resets both sides; ends with Outcome.ABORTED. */
  abort(): void;
  /** Adds lines to the answer's head, before it is sent. */
  addResponseHeaders(lines: string): void;
}

export interface ExchangeHandler {
  /** Leads to exactly one respond, forward or abort, now or later; the body is paused till then. */
  onRequest(exchange: Exchange): void;
  /** The final answer head is about to be written. */
  onResponseHead(exchange: Exchange, status: number): void;
  /** A 1xx of the upstream (not 101) was relayed; counts as activity of the application (QP-47). */
  onInterimHead?(exchange: Exchange, status: number): void;
  /** Answer bytes (or tunnelled bytes from the app) went to the client. */
  onResponseBytes(exchange: Exchange, byteCount: number): void;
  /**
   * The upstream takes no connection so far and is tried on. The handler may call `cancelForward`
   * and choose another one; nothing of the request was sent.
   */
  onUpstreamStall?(exchange: Exchange): void;
  /** No answer head will come. The handler answers, or forwards elsewhere if `!failure.sent`. */
  onUpstreamFailure(exchange: Exchange, failure: UpstreamFailure): void;
  /** Exactly once per onRequest. */
  onEnd(exchange: Exchange, outcome: Outcome): void;
}

export interface ListenOptions {
  host: string;
  /** 0 = any free port. */
  port: number;
  /**
   * Another thread of this process listens on the port already and this one joins it. Only `uws`
   * can (each thread its own app on the same port); the port is then not tried first.
   */
  shared?: boolean;
  /** Listens on this descriptor of a socket that listens already, instead of host and port. */
  descriptor?: number;
}

export interface HttpServer {
  /** What it listens with; absent where the engine has no such thing. */
  readonly listener?: Server;
  listen(options: ListenOptions): Promise<{ port: number }>;
  /**
   * Stops accepting; idle connections close, busy ones after their answer (`Connection: close`).
   */
  drain(): Promise<void>;
  /** Closes everything now. */
  close(): Promise<void>;
  readonly connectionCount: number;
  /**
   * Requests refused for their framing (QP-7), before any role saw them or in their body. Counts
   * up.
   */
  readonly rejectedCount: number;
}

/** Protocol-level limits and timeouts of a server, QP-5. */
export interface HttpServerLimits {
  /** Whole request head; above it 431 and close. */
  maxHeadBytes: number;
  /** The head must arrive within this long. */
  headTimeoutMs: number;
  /** Request body bytes read ahead while the role has not decided yet. */
  readAheadBytes: number;
  /** One read of a connection, at most; 1 KiB to 64 KiB, default 64 KiB. */
  readBytes?: number;
  /** What all connections may hold together of bodies nobody reads yet; absent = no limit. */
  held?: HeldBytes;
}

/** Settings of the upstream side, QP-61 to QP-64. */
export interface UpstreamOptions {
  /** Idle connections kept per upstream. */
  maxIdlePerUpstream: number;
  /** Idle connections kept in all; one more ends an older one. Absent or 0 = no limit. */
  maxIdle?: number;
  idleTimeoutMs: number;
  /** First dial attempt; grows by 1.4 per try (QP-63). */
  dialTimeoutMs: number;
  maxDialAttempts: number;
}
