// Opens one connection for one request (QP-63). Only a dial that timed out is tried again, with
// growing timeouts and a short random pause; any other error ends it at once, because a refused
// connection means the application is down and waiting would only hold the request's slot.
// Invariant: the waiter hears exactly one of onDialed and onDialFailed, or nothing after cancel.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { DialSchedule } from './dial-schedule.ts';
import { FailureCode, type UpstreamOptions } from './types.ts';
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts';
import {
  connectFailureCode,
  describeConnectError,
  describeDialTimeout,
} from './upstream-errors.ts';
import type { DialWaiter, PendingDial } from './upstream-link.ts';
import type { UpstreamTls } from './upstream-tls.ts';

/** The pool a dialled connection will belong to. */
export interface DialTarget {
  readonly host: string;
  readonly port: number;
  readonly tls: UpstreamTls | null;
  park(connection: UpstreamConnection): void;
  onClosed(connection: UpstreamConnection): void;
}

export class Dial implements ConnectionOwner, PendingDial {
  readonly host: string;
  readonly port: number;
  readonly tls: UpstreamTls | null;
  readonly #target: DialTarget;
  readonly #clock: Clock;
  readonly #schedule: DialSchedule;
  readonly #startMs: number;
  #waiter: DialWaiter | null;
  #timer: TimerHandle | null = null;
  #connection: UpstreamConnection | null = null;

  constructor(
    target: DialTarget,
    waiter: DialWaiter,
    options: UpstreamOptions,
    deps: { clock: Clock; random: () => number },
  ) {
    this.host = target.host;
    this.port = target.port;
    this.tls = target.tls;
    this.#target = target;
    this.#waiter = waiter;
    this.#clock = deps.clock;
    this.#schedule = new DialSchedule(options.dialTimeoutMs, options.maxDialAttempts, deps.random);
    this.#startMs = deps.clock.monotonicMs();
    this.#try();
  }

  cancel(): void {
    this.#waiter = null;
    this.#abandon();
  }

  onConnected(connection: UpstreamConnection): void {
    const waiter = this.#waiter;
    this.#timer?.cancel();
    this.#connection = null;
    if (waiter === null) connection.destroy();
    else waiter.onDialed(connection);
  }

  onConnectFailed(_connection: UpstreamConnection, error: NodeJS.ErrnoException): void {
    const waiter = this.#waiter;
    this.#timer?.cancel();
    this.#connection = null;
    waiter?.onDialFailed(connectFailureCode(error), describeConnectError(error, this));
  }

  park(connection: UpstreamConnection): void {
    this.#target.park(connection);
  }

  onClosed(connection: UpstreamConnection): void {
    this.#target.onClosed(connection);
  }

  #try(): void {
    const timeoutMs = this.#schedule.nextTimeoutMs();
    this.#connection = new UpstreamConnection(this);
    this.#timer = this.#clock.setTimer(timeoutMs, () => this.#onTimeout());
  }

  #onTimeout(): void {
    this.#abandon();
    if (this.#schedule.isExhausted) {
      const elapsedMs = this.#clock.monotonicMs() - this.#startMs;
      const message = describeDialTimeout(this, elapsedMs);
      this.#waiter?.onDialFailed(FailureCode.CONNECT_TIMEOUT, message);
      return;
    }
    this.#timer = this.#clock.setTimer(this.#schedule.pauseMs(), () => this.#try());
    if (this.#schedule.isStalled) this.#waiter?.onDialStalled?.();
  }

  #abandon(): void {
    this.#timer?.cancel();
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy();
  }
}
