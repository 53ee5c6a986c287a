// An API server in the same process, as a client sees it: requests are handed over as values, with
// the same texts that would go over a socket, and answers come back the same way. What it saves is
// TLS and HTTP on both ends of a loopback connection, which was most of what a write cost.

import type { Readable } from 'node:stream';

export interface LocalRequest {
  method: string;
  /** Starts with `/`, query included. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string | undefined;
}

export interface LocalAnswer {
  status: number;
  contentType: string;
  /** Value of `Retry-After`, seconds; null = none. */
  retryAfter: string | null;
  /** A stream for what has no end of its own, such as a watch. */
  body: string | Readable;
}

export interface LocalServer {
  /** Null: not answered here, ask over the network. Never rejects and never calls back at once. */
  answer(request: LocalRequest): Promise<LocalAnswer> | null;
}
