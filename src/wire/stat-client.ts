// The websocket over which stats reach the autoscaler (ACT-142 to ACT-150): one connection, dialled
// again for ever, no queue. A batch that finds no connection is dropped, so nothing ever waits
// here. Liveness is by pong alone: ten seconds without one and the connection is given up
// (ACT-145). Unlike the reference the pause between dials stays below one second, and a first
// request that finds no connection may cut it short: a wake must not sleep through an autoscaler's
// restart.
// Invariant: at most one of socket, dial and pause exists.

import { WebSocket } from 'ws';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';

const HANDSHAKE_TIMEOUT_MS = 3_000;
const PONG_DEADLINE_MS = 10_000;
const PING_PERIOD_MS = PONG_DEADLINE_MS / 3;
const FIRST_BACKOFF_MS = 100;
const BACKOFF_GROWTH = 1.3;
const BACKOFF_JITTER = 0.5;
/** With its jitter below the period of the reports: whoever is back hears of us within one. */
const MAX_BACKOFF_MS = 650;
/** Two dials are never closer than this, however urgent. */
const MIN_DIAL_GAP_MS = 25;
/** Bytes the socket may hold back; a batch beyond it is dropped. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** The server sends no application messages; anything large is a mistake. */
const MAX_INCOMING_BYTES = 64 * 1024;

/** Where batches of stats go. */
export interface StatSink {
  /** Hands one batch to the socket; false = there is none, and the batch is dropped (ACT-135). */
  send(batch: Uint8Array): boolean;
  /** Somebody waits for the connection: dial now if the next attempt is only being waited for. */
  hurry(): void;
}

export interface StatClientOptions {
  /** Asked before each dial; null = not known yet. */
  url: () => string | null;
  clock: Clock;
  random: () => number;
  logger: Logger;
  /** Headers of the handshake beyond the mandatory ones; default none (ACT-142). */
  headers?: Readonly<Record<string, string>>;
}

export class StatClient implements StatSink {
  readonly #options: StatClientOptions;
  #socket: WebSocket | null = null;
  #isOpen = false;
  #isStopped = false;
  #backoffMs = FIRST_BACKOFF_MS;
  #lastDialMs = Number.NEGATIVE_INFINITY;
  #retryTimer: TimerHandle | null = null;
  #pongTimer: TimerHandle | null = null;
  #pinger: TimerHandle | null = null;
  #lostCount = 0;
  /** Called after every successful dial. */
  onConnect: () => void = () => undefined;
  /** A text message of the server; stock ones send none (ACT-137). */
  onText: (text: string) => void = () => undefined;

  constructor(options: StatClientOptions) {
    this.#options = options;
  }

  start(): void {
    this.#pinger = this.#options.clock.setTicker(PING_PERIOD_MS, () => this.#ping(), {
      background: true,
    });
    this.#dial();
  }

  /** ACT-147. */
  get isConnected(): boolean {
    return this.#isOpen;
  }

  /** Connections that were established and lost; failed dials do not count (ACT-150). */
  get lostCount(): number {
    return this.#lostCount;
  }

  send(batch: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === null || !this.#isOpen || socket.readyState !== WebSocket.OPEN) return false;
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) return false;
    socket.send(batch, { binary: true });
    return true;
  }

  hurry(): void {
    if (this.#retryTimer === null || this.#isStopped) return;
    this.#retryTimer.cancel();
    this.#dialSoon();
  }

  /** ACT-149: without a close frame. */
  stop(): void {
    this.#isStopped = true;
    this.#retryTimer?.cancel();
    this.#pongTimer?.cancel();
    this.#pinger?.cancel();
    this.#socket?.terminate();
  }

  #dial(): void {
    this.#retryTimer = null;
    this.#lastDialMs = this.#options.clock.monotonicMs();
    const socket = this.#createSocket();
    if (socket === null) {
      this.#scheduleDial();
      return;
    }
    this.#socket = socket;
    socket.on('open', () => this.#opened());
    socket.on('pong', () => this.#expectPong());
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.onText(data.toString());
    });
    socket.on('error', (error) => {
      this.#options.logger.debug({ error }, 'connection to autoscaler failed');
    });
    socket.on('close', () => this.#closed());
  }

  /** Null when there is no address yet or none that can be dialled. */
  #createSocket(): WebSocket | null {
    try {
      const url = this.#options.url();
      if (url === null) return null;
      return new WebSocket(url, {
        ...(this.#options.headers === undefined ? {} : { headers: this.#options.headers }),
        perMessageDeflate: false,
        followRedirects: false,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        maxPayload: MAX_INCOMING_BYTES,
      });
    } catch (error) {
      this.#options.logger.error({ error }, 'autoscaler address is not usable');
      return null;
    }
  }

  #opened(): void {
    this.#isOpen = true;
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#expectPong();
    this.#options.logger.info({}, 'connected to autoscaler');
    this.onConnect();
  }

  #closed(): void {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#socket = null;
    this.#pongTimer?.cancel();
    if (wasOpen) this.#lostCount += 1;
    if (this.#isStopped) return;
    if (!wasOpen) {
      this.#scheduleDial();
      return;
    }
    this.#options.logger.warn({}, 'connection to autoscaler lost');
    this.#dialSoon();
  }

  /** At once, unless the last dial was just now: a server that hangs up must not make us spin. */
  #dialSoon(): void {
    const sinceDialMs = this.#options.clock.monotonicMs() - this.#lastDialMs;
    this.#dialAfter(Math.max(0, MIN_DIAL_GAP_MS - sinceDialMs));
  }

  #scheduleDial(): void {
    const { random } = this.#options;
    this.#dialAfter(this.#backoffMs * (1 + BACKOFF_JITTER * random()));
    this.#backoffMs = Math.min(this.#backoffMs * BACKOFF_GROWTH, MAX_BACKOFF_MS);
  }

  #dialAfter(delayMs: number): void {
    const { clock } = this.#options;
    this.#retryTimer = clock.setTimer(delayMs, () => this.#dial(), { background: true });
  }

  #ping(): void {
    if (this.#isOpen && this.#socket?.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #expectPong(): void {
    this.#pongTimer?.cancel();
    this.#pongTimer = this.#options.clock.setTimer(
      PONG_DEADLINE_MS,
      () => this.#socket?.terminate(),
      { background: true },
    );
  }
}
