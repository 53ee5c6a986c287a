// The listeners of one visibility: plain HTTP, and HTTPS beside it where a port was given (ING-80).
// Each speaks HTTP/1.x and HTTP/2 (ING-85); they share the routes and differ in what they tell the
// application about the client's scheme. Not hot.

import { HeldBytes } from '../proxy/held-bytes.ts';
import { createRequestPort } from '../proxy/request-port.ts';
import { TlsServer } from '../proxy/tls-server.ts';
import type { HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Certificates } from './certificates.ts';
import { GatewayHandler, type GatewayHandlerDeps, type Visibility } from './handler.ts';

/**
 * Bytes of bodies of requests that wait for a connection to their backend, over all connections of
 * a gateway; a request that would need more is answered 503 (KN_BODIES_FULL).
 */
const MAX_HELD_BODY_BYTES = 192 << 20;
const SERVER_LIMITS: HttpServerLimits = {
  maxHeadBytes: 1024 * 1024,
  headTimeoutMs: 60_000,
  readAheadBytes: 64 * 1024,
  held: new HeldBytes(MAX_HELD_BODY_BYTES),
};

export interface ListenersOptions {
  /** Null = no HTTPS; 0 = any free port. */
  readonly httpsPort: number | null;
  /** Any free HTTPS port where `httpsPort` is taken, instead of an error. */
  readonly isHttpsMovable: boolean;
  readonly certificates: Certificates | null;
  readonly logger: Logger;
}

export class Listeners {
  port = 0;
  /** 0 without HTTPS. */
  httpsPort = 0;
  readonly #http: HttpServer;
  readonly #https: HttpServer | null;
  readonly #httpsPort: number;
  readonly #isHttpsMovable: boolean;

  constructor(
    visibility: Visibility,
    deps: Omit<GatewayHandlerDeps, 'visibility' | 'isSecure'>,
    { httpsPort, isHttpsMovable, certificates, logger }: ListenersOptions,
  ) {
    const { clock } = deps;
    const serverDeps = { limits: SERVER_LIMITS, clock, logger, awaitsStreams: true };
    const plain = new GatewayHandler({ ...deps, visibility });
    this.#http = createRequestPort('net', plain, serverDeps);
    this.#httpsPort = httpsPort ?? 0;
    this.#isHttpsMovable = isHttpsMovable;
    this.#https = null;
    if (httpsPort === null || certificates === null) return;
    this.#https = new TlsServer(new GatewayHandler({ ...deps, visibility, isSecure: true }), {
      ...serverDeps,
      policy: { minVersion: 'TLSv1.2' },
      contextFor: (serverName) => certificates.contextFor(visibility, serverName),
    });
  }

  async listen(host: string, port: number): Promise<void> {
    this.port = (await this.#http.listen({ host, port })).port;
    if (this.#https === null) return;
    this.httpsPort = await this.#listenHttps(this.#https, host);
  }

  /** Tried instead of asked for: between a look and `listen` somebody else may take the port. */
  async #listenHttps(server: HttpServer, host: string): Promise<number> {
    try {
      return (await server.listen({ host, port: this.#httpsPort })).port;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!(isTaken && this.#isHttpsMovable)) throw error;
      return (await server.listen({ host, port: 0 })).port;
    }
  }

  async drain(): Promise<void> {
    await Promise.all([this.#http.drain(), this.#https?.drain()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#https?.close()]);
  }
}
