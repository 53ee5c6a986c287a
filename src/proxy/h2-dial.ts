// Opens one TCP connection for HTTP/2 to an application, by the rule of QP-63 and independent of
// the request that caused it (QP-62). Invariant: the owner hears exactly one of onDialed and
// onDialFailed, or nothing after cancel. Not hot: one per connection.

import { connect, type Socket } from 'node:net';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { DialSchedule } from './dial-schedule.ts';
import { FailureCode, type UpstreamOptions } from './types.ts';
import {
  connectFailureCode,
  describeConnectError,
  describeDialTimeout,
} from './upstream-errors.ts';
import type { UpstreamTls } from './upstream-tls.ts';

const TCP_KEEP_ALIVE_MS = 5_000;

export interface Http2DialOwner {
  readonly host: string;
  readonly port: number;
  /** Null = plain TCP. */
  readonly tls: UpstreamTls | null;
  onDialed(socket: Socket): void;
  onDialStalled(): void;
  onDialFailed(code: FailureCode, message: string): void;
}

export class Http2Dial {
  readonly #owner: Http2DialOwner;
  readonly #clock: Clock;
  readonly #schedule: DialSchedule;
  readonly #startMs: number;
  #timer: TimerHandle | null = null;
  #socket: Socket | null = null;

  constructor(
    owner: Http2DialOwner,
    options: UpstreamOptions,
    deps: { clock: Clock; random: () => number },
  ) {
    this.#owner = owner;
    this.#clock = deps.clock;
    this.#schedule = new DialSchedule(options.dialTimeoutMs, options.maxDialAttempts, deps.random);
    this.#startMs = deps.clock.monotonicMs();
    this.#try();
  }

  cancel(): void {
    this.#timer?.cancel();
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
  }

  #try(): void {
    const { host, port, tls } = this.#owner;
    const socket =
      tls !== null
        ? tls.connect({ host, port }, 'h2')
        : connect({
            host,
            port,
            noDelay: true,
            keepAlive: true,
            keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
          });
    this.#socket = socket;
    this.#timer = this.#clock.setTimer(this.#schedule.nextTimeoutMs(), () => this.#onTimeout());
    socket.on(tls === null ? 'connect' : 'secureConnect', () => this.#onConnect(socket));
    socket.on('error', (error) => this.#onError(socket, error));
  }

  #onConnect(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#timer?.cancel();
    this.#owner.onDialed(socket);
  }

  #onError(socket: Socket, error: NodeJS.ErrnoException): void {
    if (this.#socket !== socket) return;
    this.cancel();
    this.#owner.onDialFailed(connectFailureCode(error), describeConnectError(error, this.#owner));
  }

  #onTimeout(): void {
    this.cancel();
    if (this.#schedule.isExhausted) {
      const elapsedMs = this.#clock.monotonicMs() - this.#startMs;
      const message = describeDialTimeout(this.#owner, elapsedMs);
      this.#owner.onDialFailed(FailureCode.CONNECT_TIMEOUT, message);
      return;
    }
    this.#timer = this.#clock.setTimer(this.#schedule.pauseMs(), () => this.#try());
    if (this.#schedule.isStalled) this.#owner.onDialStalled();
  }
}
