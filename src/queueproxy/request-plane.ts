// What one thread needs to serve requests: the handler chain, its connections to the app and the
// server in front. The main thread has one, and so has every further request thread (QP-16); what
// the pod shares (gate, statistics, drain state, readiness) comes in as dependencies. Whatever a
// request needs in every thread is made here, from settings that can be copied between threads.

import type { Clock } from '../clock/clock.ts';
import type { Gate } from '../proxy/gate.ts';
import { HeldBytes } from '../proxy/held-bytes.ts';
import { createRequestPort } from '../proxy/request-port.ts';
import type { HttpServer, HttpServerLimits } from '../proxy/types.ts';
import { type UpstreamPool, UpstreamPools } from '../proxy/upstream-pools.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type DrainState, QueueProxyHandler, type RequestCounter } from './handler.ts';
import type { RequestObserver } from './request-observer.ts';
import type { QueueProxySettings } from './settings.ts';
import { createSockstatReader } from './sockstat.ts';

export interface RequestPlaneDeps {
  readonly clock: Clock;
  /** Carries the revision and the pod already. */
  readonly logger: Logger;
  /** 0 <= value < 1. */
  readonly random: () => number;
  /** Null = concurrency is unlimited. */
  readonly gate: Gate | null;
  readonly accounting: RequestCounter;
  readonly drainer: DrainState;
  readonly isAppReady: () => Promise<boolean>;
  /** Request log, metrics and traces; null = all of them are off. */
  readonly observer: RequestObserver | null;
}

const APP_HOST = '127.0.0.1';
const IDLE_CONNECTIONS_UNLIMITED = 1000;
const IDLE_TIMEOUT_MS = 90_000;
const FIRST_DIAL_MS = 50;
/** An app that serves one connection at a time must not wait long for one that stays silent. */
const ADOPTED_PATIENCE_MS = 50;
/** QP-63: dials that time out before the request gets 502. */
const MAX_DIAL_ATTEMPTS = 16;
/**
 * Bytes of bodies of requests that wait for a slot or for a connection to the application, over all
 * connections and threads of a sidecar; a request that would need more is answered 503
 * (KN_BODIES_FULL). Room for uploads in the whole queue of a `containerConcurrency` of 100.
 */
export const MAX_HELD_BODY_BYTES = 128 << 20;
/** QP-5. */
export const REQUEST_LIMITS: HttpServerLimits = {
  maxHeadBytes: 1 << 20,
  headTimeoutMs: 60_000,
  readAheadBytes: 64 << 10,
};

export class RequestPlane {
  readonly handler: QueueProxyHandler;
  readonly server: HttpServer;
  /** For every server in front of `handler`. */
  readonly limits: HttpServerLimits;
  readonly #pools: UpstreamPools;
  readonly #app: UpstreamPool;

  constructor(settings: QueueProxySettings, deps: RequestPlaneDeps) {
    const { clock, logger } = deps;
    this.#pools = new UpstreamPools(upstreamOptions(settings), { clock, random: deps.random });
    this.#app = this.#pools.at(APP_HOST, settings.userPort);
    this.handler = new QueueProxyHandler(settings, {
      ...deps,
      app: this.#app,
      readSockstat: createSockstatReader(clock),
    });
    const held = new HeldBytes(Math.floor(MAX_HELD_BODY_BYTES / settings.threads));
    const limits = { ...REQUEST_LIMITS, held };
    this.limits = limits;
    this.server = createRequestPort(settings.httpEngine, this.handler, { limits, clock, logger });
  }

  /**
   * Takes over a connection to the app for the request that is about to come; one that is not used
   * soon is closed. False = it goes elsewhere than requests do, and is not taken.
   */
  adopt(host: string, port: number, connection: object): boolean {
    if (host !== this.#app.host || port !== this.#app.port) return false;
    this.#app.adopt(connection, ADOPTED_PATIENCE_MS);
    return true;
  }

  /** Closes everything now; requests inside are cut. */
  async close(): Promise<void> {
    await this.server.close();
    this.handler.stop();
    this.#pools.close();
  }
}

function upstreamOptions(settings: QueueProxySettings) {
  const limit = settings.containerConcurrency;
  return {
    maxIdlePerUpstream: limit < 1 ? IDLE_CONNECTIONS_UNLIMITED : limit,
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    dialTimeoutMs: FIRST_DIAL_MS,
    maxDialAttempts: MAX_DIAL_ATTEMPTS,
  };
}
