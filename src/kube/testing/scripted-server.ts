// A real HTTP server whose lists and watches a test scripts step by step, to show what the client
// and the informer make of resets, cut lines, expired versions and silence.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

export class ScriptedServer {
  /** Every request as `GET /path?query`. */
  readonly requests: string[] = [];
  list: Handler = (_request, response) => sendJson(response, 200, emptyList('1'));
  watch: Handler = (_request, response) => open(response);
  other: Handler = (_request, response) => sendJson(response, 404, { message: 'no' });
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`);
      const url = new URL(request.url ?? '/', 'http://server');
      const isCollection = url.pathname.endsWith('/pods') && request.method === 'GET';
      if (!isCollection) this.other(request, response, url);
      else if (url.searchParams.has('watch')) this.watch(request, response, url);
      else this.list(request, response, url);
    });
  }

  /** Resolves with the URL. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  count(pattern: RegExp): number {
    return this.requests.filter((request) => pattern.test(request)).length;
  }
}

export function sendJson(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Starts a watch answer. */
export function open(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
}

export function emptyList(resourceVersion: string, items: unknown[] = []): object {
  return { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion }, items };
}
