// Keep-alive connections to applications, one pool per address. Connections in use are not capped
// (the gate does that); idle ones are, and they close when they have idled too long. The most
// recently used connection goes first: it is warm, and the others get a chance to expire.
// Not hot itself except `checkout` and `park`, which run once per request.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { Dial } from './dial.ts';
import { Http2Pool } from './h2-pool.ts';
import { IdleLimit } from './idle-limit.ts';
import type { Upstream, UpstreamOptions } from './types.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';
import { authorityOf } from './upstream-errors.ts';
import type { CallPool, DialWaiter, PendingDial, UpstreamLink } from './upstream-link.ts';
import type { UpstreamTls } from './upstream-tls.ts';

/**
 * Addresses remembered; one more is served without being remembered, so nothing is shared for it.
 */
export const MAX_UPSTREAMS = 16_384;
/**
 * A request that cannot be sent twice goes only on a connection that idled less (decision 0003).
 */
const MAX_IDLE_FOR_ONE_SHOT_MS = 4_000;
/** How long before the application's own keep-alive timeout a connection counts as expired. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
const SWEEPS_PER_IDLE_TIMEOUT = 4;

export interface UpstreamDeps {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
}

/** What speaks to an address, where it is not plain TCP in the client's own protocol. */
export interface PoolKind {
  /** Tells pools of one address apart. */
  readonly key: string;
  create(host: string, port: number, options: UpstreamOptions, deps: UpstreamDeps): UpstreamPool;
}

/** The client's protocol on plain TCP (QP-59). */
const PLAIN: PoolKind = { key: '', create: (...parts) => new UpstreamPool(...parts) };

export class UpstreamPools {
  readonly #options: UpstreamOptions;
  readonly #deps: UpstreamDeps;
  readonly #pools = new Map<string, UpstreamPool>();
  readonly #idle: IdleLimit;
  #sweeper: TimerHandle | null = null;
  #isClosed = false;

  constructor(options: UpstreamOptions, deps: UpstreamDeps) {
    this.#options = options;
    this.#deps = deps;
    const pools = this.#pools;
    const all = { [Symbol.iterator]: () => pools.values() };
    this.#idle = new IdleLimit(options.maxIdle ?? 0, all);
  }

  /** HTTP/1 connections no request uses, of all addresses. */
  get idleCount(): number {
    return this.#idle.count;
  }

  /** The pool of that address, made on first use. Keep it; the look-up builds a key. */
  at(host: string, port: number, kind: PoolKind = PLAIN): UpstreamPool {
    const key = `${host} ${port} ${kind.key}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = kind.create(host, port, this.#options, this.#deps);
      pool.key = key;
      if (this.#isClosed) pool.close();
      else if (this.#pools.size < MAX_UPSTREAMS) {
        pool.limit = this.#idle;
        this.#pools.set(key, pool);
      }
      this.#startSweeping();
    }
    return pool;
  }

  /** Closes idle connections of that address now and busy ones after their answer. */
  forget(upstream: Upstream): void {
    if (!(upstream instanceof UpstreamPool)) return;
    if (this.#pools.get(upstream.key) === upstream) this.#pools.delete(upstream.key);
    upstream.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#sweeper?.cancel();
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #startSweeping(): void {
    if (this.#sweeper !== null || this.#isClosed) return;
    const periodMs = Math.max(1, this.#options.idleTimeoutMs / SWEEPS_PER_IDLE_TIMEOUT);
    const sweep = (): void => {
      const nowMs = this.#deps.clock.monotonicMs();
      for (const pool of this.#pools.values()) pool.sweep(nowMs);
    };
    this.#sweeper = this.#deps.clock.setTicker(periodMs, sweep, { background: true });
  }
}

export class UpstreamPool implements Upstream, ConnectionOwner {
  readonly host: string;
  readonly port: number;
  readonly authority: string;
  /** Null = plain TCP. */
  readonly tls: UpstreamTls | null;
  /** Belongs to UpstreamPools, as the next one. */
  key = '';
  limit: IdleLimit | null = null;
  readonly #options: UpstreamOptions;
  readonly #deps: UpstreamDeps;
  /** Oldest first. */
  readonly #idle: UpstreamConnection[] = [];
  #http2: CallPool | null = null;
  #isClosed = false;

  constructor(
    host: string,
    port: number,
    options: UpstreamOptions,
    deps: UpstreamDeps,
    tls: UpstreamTls | null = null,
  ) {
    this.host = host;
    this.port = port;
    this.tls = tls;
    this.authority = authorityOf(this);
    this.#options = options;
    this.#deps = deps;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** Connections for HTTP/2 to the same address, QP-62. */
  get http2(): CallPool {
    if (this.#http2 === null) {
      this.#http2 = new Http2Pool(this, this.#options, this.#deps);
      if (this.#isClosed) this.#http2.close();
    }
    return this.#http2;
  }

  /** An idle connection fit for the request, or null: then dial. `nowMs` is monotonic. */
  checkout(isReplayable: boolean, nowMs: number): UpstreamLink | null {
    for (;;) {
      const connection = this.#idle.at(-1);
      if (connection === undefined) return null;
      const idleMs = nowMs - connection.idleSinceMs;
      if (idleMs < this.#maxIdleMs(connection)) {
        // The newest is too old for this request, so all are; they stay for replayable ones.
        if (!isReplayable && idleMs >= MAX_IDLE_FOR_ONE_SHOT_MS) return null;
        this.#idle.pop();
        this.limit?.onTaken();
        return connection;
      }
      connection.destroy();
    }
  }

  /** The same, for whoever has not read the clock. */
  checkoutNow(isReplayable: boolean): UpstreamLink | null {
    return this.checkout(isReplayable, this.#deps.clock.monotonicMs());
  }

  dial(waiter: DialWaiter): PendingDial {
    return new Dial(this, waiter, this.#options, this.#deps);
  }

  /**
   * Takes over a TCP connection that somebody opened for another purpose: `standing` is libuv's
   * object of it. The next request finds it idle; without one it is closed after `patienceMs`.
   */
  adopt(standing: object, patienceMs: number): void {
    const connection = new UpstreamConnection(this, standing);
    this.park(connection);
    const closeUnused = (): void => {
      if (connection.isIdle && !connection.isReused) connection.destroy();
    };
    this.#deps.clock.setTimer(patienceMs, closeUnused, { background: true });
  }

  park(connection: UpstreamConnection): void {
    if (this.#isClosed || this.#idle.length >= this.#options.maxIdlePerUpstream) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = this.#deps.clock.monotonicMs();
    this.#idle.push(connection);
    this.limit?.onIdle();
  }

  onClosed(connection: UpstreamConnection): void {
    const index = this.#idle.lastIndexOf(connection);
    if (index < 0) return;
    this.#idle.splice(index, 1);
    this.limit?.onTaken();
  }

  dropOldest(): void {
    this.#idle[0]?.destroy();
  }

  sweep(nowMs: number): void {
    this.#http2?.sweep();
    for (const connection of [...this.#idle]) {
      if (nowMs - connection.idleSinceMs >= this.#maxIdleMs(connection)) connection.destroy();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#http2?.close();
    for (const connection of [...this.#idle]) connection.destroy();
  }

  #maxIdleMs(connection: UpstreamConnection): number {
    const announced = connection.keepAliveMs;
    return announced < 0
      ? this.#options.idleTimeoutMs
      : Math.min(this.#options.idleTimeoutMs, announced - KEEP_ALIVE_MARGIN_MS);
  }
}
