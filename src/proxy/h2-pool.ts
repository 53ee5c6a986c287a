// HTTP/2 connections to one application (QP-62): one is shared by all requests, another opened when
// every stream it allows is in use. One dial at a time, kept going when the request that caused it
// leaves; whoever waits is served in order. Invariant: a waiter hears exactly one of onUpstreamRoom
// and onUpstreamUnreachable, or nothing after `cancel`. Not hot except `checkout`.

import type { Socket } from 'node:net';
import type { Clock } from '../clock/clock.ts';
import { Http2Dial, type Http2DialOwner } from './h2-dial.ts';
import { http2Module } from './h2-module.ts';
import { Http2Upstream, type Http2UpstreamOwner } from './h2-upstream.ts';
import { FailureCode, type UpstreamOptions } from './types.ts';
import { authorityOf } from './upstream-errors.ts';
import type { CallPool, CallPoolWaiter } from './upstream-link.ts';
import type { UpstreamTls } from './upstream-tls.ts';

/** Requests waiting for a connection to one application; one more is answered 502. */
export const MAX_WAITING_FOR_UPSTREAM = 16_384;

export interface Http2PoolDeps {
  readonly clock: Clock;
  readonly random: () => number;
}

export class Http2Pool implements CallPool, Http2DialOwner, Http2UpstreamOwner {
  readonly host: string;
  readonly port: number;
  readonly tls: UpstreamTls | null;
  readonly #options: UpstreamOptions;
  readonly #deps: Http2PoolDeps;
  /** In order of opening; new requests go to the first that has room. */
  readonly #upstreams: Http2Upstream[] = [];
  /** First in, first out. */
  readonly #waiters = new Set<CallPoolWaiter>();
  #dial: Http2Dial | null = null;
  /** Connected, its SETTINGS not here yet. */
  #pending: Http2Upstream | null = null;
  #isClosed = false;

  constructor(
    address: { host: string; port: number; tls: UpstreamTls | null },
    options: UpstreamOptions,
    deps: Http2PoolDeps,
  ) {
    this.host = address.host;
    this.port = address.port;
    this.tls = address.tls;
    this.#options = options;
    this.#deps = deps;
  }

  get connectionCount(): number {
    return this.#upstreams.length;
  }

  /** A connection with room for a request, or null: then `wait`. */
  checkout(): Http2Upstream | null {
    for (const upstream of this.#upstreams) {
      if (upstream.room > 0) return upstream;
    }
    return null;
  }

  /** Calls back later, never before it returns. */
  wait(waiter: CallPoolWaiter): void {
    if (this.#isClosed) process.nextTick(refuse, waiter, 'EOF');
    else if (this.#waiters.size >= MAX_WAITING_FOR_UPSTREAM) {
      process.nextTick(refuse, waiter, 'too many requests wait for a connection');
    } else {
      this.#waiters.add(waiter);
      this.#startDial();
    }
  }

  cancel(waiter: CallPoolWaiter): void {
    this.#waiters.delete(waiter);
  }

  /** Called a few times per idle timeout: closes what carried nothing since the last but one. */
  sweep(): void {
    for (const upstream of [...this.#upstreams]) {
      if (upstream.isStale) upstream.leave();
    }
  }

  /** Ends idle connections now and busy ones after their answers. */
  close(): void {
    this.#isClosed = true;
    this.#dial?.cancel();
    this.#dial = null;
    this.#pending?.destroy();
    for (const upstream of [...this.#upstreams]) {
      if (upstream.isIdle) upstream.destroy();
      else upstream.leave();
    }
    this.#failWaiters(FailureCode.CLOSED, 'EOF');
  }

  onDialed(socket: Socket): void {
    this.#dial = null;
    // Whoever forwards HTTP/2 has loaded the module to receive the request.
    const http2 = http2Module()!;
    this.#pending = new Http2Upstream(this, http2, socket, authorityOf(this));
  }

  onDialStalled(): void {
    for (const waiter of [...this.#waiters]) waiter.onUpstreamStalled?.();
  }

  onDialFailed(code: FailureCode, message: string): void {
    this.#dial = null;
    this.#failWaiters(code, message);
  }

  onReady(upstream: Http2Upstream): void {
    this.#pending = null;
    this.#upstreams.push(upstream);
    this.onRoom(upstream);
  }

  onRoom(upstream: Http2Upstream): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of this.#waiters) {
      if (upstream.room === 0) break;
      this.#waiters.delete(waiter);
      waiter.onUpstreamRoom(upstream);
    }
    this.#startDial();
  }

  onLeaving(upstream: Http2Upstream): void {
    const index = this.#upstreams.indexOf(upstream);
    if (index >= 0) this.#upstreams.splice(index, 1);
  }

  onGone(upstream: Http2Upstream): void {
    if (this.#pending !== upstream) return;
    this.#pending = null;
    this.#failWaiters(upstream.failureCode(null), upstream.describeFailure(null));
  }

  #startDial(): void {
    if (this.#waiters.size === 0 || this.#dial !== null || this.#pending !== null) return;
    this.#dial = new Http2Dial(this, this.#options, this.#deps);
  }

  #failWaiters(code: FailureCode, message: string): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.onUpstreamUnreachable(code, message);
  }
}

function refuse(waiter: CallPoolWaiter, message: string): void {
  waiter.onUpstreamUnreachable(FailureCode.CONNECT_ERROR, message);
}
