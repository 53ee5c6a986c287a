// Pools of addresses whose protocol is known beforehand, whatever the client speaks (ING-16):
// applications of HTTP/1.1 only, and of HTTP/2 only, by prior knowledge or ALPN. Elsewhere the
// upstream protocol follows the client's (QP-59, ACT-110) and the plain pool serves. Not hot; what
// runs per request is behind the links.

import { Http1Call } from './h1-call.ts';
import { Http2Link } from './h2-link.ts';
import { http2Module, loadHttp2 } from './h2-module.ts';
import type { FailureCode } from './types.ts';
import type {
  CallPool,
  CallPoolWaiter,
  CallUpstream,
  DialWaiter,
  PendingDial,
  UpstreamLink,
} from './upstream-link.ts';
import { type PoolKind, UpstreamPool } from './upstream-pools.ts';
import type { UpstreamTls } from './upstream-tls.ts';

/** HTTP/1.1 to the application, also for requests that came in as HTTP/2. Null = plain TCP. */
export function http1Only(tls: UpstreamTls | null): PoolKind {
  return {
    key: tls === null ? 'http1' : `http1 ${tls.key}`,
    create: (...parts) => new Http1OnlyPool(...parts, tls),
  };
}

/** HTTP/2 to the application, also for requests that came in as HTTP/1.x. Null = plain TCP. */
export function http2Only(tls: UpstreamTls | null): PoolKind {
  return {
    key: tls === null ? 'http2' : `http2 ${tls.key}`,
    create: (...parts) => new Http2OnlyPool(...parts, tls),
  };
}

class Http1OnlyPool extends UpstreamPool {
  readonly #calls = new Http1CallPool(this);

  override get http2(): CallPool {
    return this.#calls;
  }
}

/** Connections of HTTP/1.1 for requests of HTTP/2: one each. */
class Http1CallPool implements CallPool {
  readonly #pool: UpstreamPool;
  readonly #dials = new Map<CallPoolWaiter, PendingDial>();

  constructor(pool: UpstreamPool) {
    this.#pool = pool;
  }

  /** Nobody knows yet whether the request may be sent twice, so it counts as one that may not. */
  checkout(): CallUpstream | null {
    const link = this.#pool.checkoutNow(false);
    return link === null ? null : new Http1Call(link);
  }

  wait(waiter: CallPoolWaiter): void {
    const dial = this.#pool.dial({
      onDialed: (link: UpstreamLink) => {
        this.#dials.delete(waiter);
        waiter.onUpstreamRoom(new Http1Call(link));
      },
      onDialStalled: () => waiter.onUpstreamStalled?.(),
      onDialFailed: (code: FailureCode, message: string) => {
        this.#dials.delete(waiter);
        waiter.onUpstreamUnreachable(code, message);
      },
    });
    this.#dials.set(waiter, dial);
  }

  cancel(waiter: CallPoolWaiter): void {
    this.#dials.get(waiter)?.cancel();
    this.#dials.delete(waiter);
  }

  sweep(): void {
    // The connections are the pool's.
  }

  close(): void {
    // The connections are the pool's.
  }
}

class Http2OnlyPool extends UpstreamPool {
  override checkout(): UpstreamLink | null {
    const upstream = this.http2.checkout();
    return upstream === null ? null : new Http2Link(upstream, this.authority);
  }

  override dial(waiter: DialWaiter): PendingDial {
    return new Http2LinkDial(this, waiter);
  }
}

/** Waits for room on a connection of HTTP/2. */
class Http2LinkDial implements PendingDial, CallPoolWaiter {
  readonly #pool: UpstreamPool;
  #waiter: DialWaiter | null;

  constructor(pool: UpstreamPool, waiter: DialWaiter) {
    this.#pool = pool;
    this.#waiter = waiter;
    if (http2Module() !== null) pool.http2.wait(this);
    else void loadHttp2().then(() => this.#waitNow());
  }

  cancel(): void {
    this.#waiter = null;
    this.#pool.http2.cancel(this);
  }

  onUpstreamRoom(upstream: CallUpstream): void {
    this.#waiter?.onDialed(new Http2Link(upstream, this.#pool.authority));
  }

  onUpstreamStalled(): void {
    this.#waiter?.onDialStalled?.();
  }

  onUpstreamUnreachable(code: FailureCode, message: string): void {
    this.#waiter?.onDialFailed(code, message);
  }

  #waitNow(): void {
    if (this.#waiter !== null) this.#pool.http2.wait(this);
  }
}
