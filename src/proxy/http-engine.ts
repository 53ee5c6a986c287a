// Chooses the server engine. `net` is our codec on node:net and the default; `uws` is
// µWebSockets.js, a native addon that is loaded when its server is told to listen and never
// otherwise. Both hand the same exchanges to the same handlers (decision 0002); what `uws` cannot
// pass is in docs/engines.md.

import { createNetServer, type NetServerDeps } from './net-server.ts';
import type { ExchangeHandler, HttpServer, ListenOptions } from './types.ts';
import { loadUws } from './uws-module.ts';
import type { UwsServer } from './uws-server.ts';

export const HTTP_ENGINES = ['net', 'uws'] as const;
export type HttpEngine = (typeof HTTP_ENGINES)[number];

export function isHttpEngine(text: string): text is HttpEngine {
  return (HTTP_ENGINES as readonly string[]).includes(text);
}

/** `http2` is for `net`: `uws` has no way to hand a connection over. */
export type HttpServerDeps = NetServerDeps;

/** With `uws` its `listen` rejects with KN_ENGINE_UNAVAILABLE where the addon cannot be loaded. */
export function createHttpServer(
  engine: HttpEngine,
  handler: ExchangeHandler,
  deps: HttpServerDeps,
): HttpServer {
  return engine === 'net' ? createNetServer(handler, deps) : new LazyUwsServer(handler, deps);
}

/** A server of `uws` whose addon loads with `listen`. */
class LazyUwsServer implements HttpServer {
  readonly #handler: ExchangeHandler;
  readonly #deps: HttpServerDeps;
  #server: UwsServer | null = null;

  constructor(handler: ExchangeHandler, deps: HttpServerDeps) {
    this.#handler = handler;
    this.#deps = deps;
  }

  get connectionCount(): number {
    return this.#server?.connectionCount ?? 0;
  }

  get rejectedCount(): number {
    return this.#server?.rejectedCount ?? 0;
  }

  async listen(options: ListenOptions): Promise<{ port: number }> {
    const parts = await loadUws(this.#deps.limits.maxHeadBytes);
    const { UwsServer } = await import('./uws-server.ts');
    this.#server = new UwsServer(parts, this.#handler, this.#deps);
    return this.#server.listen(options);
  }

  drain(): Promise<void> {
    return this.#server?.drain() ?? Promise.resolve();
  }

  close(): Promise<void> {
    return this.#server?.close() ?? Promise.resolve();
  }
}
