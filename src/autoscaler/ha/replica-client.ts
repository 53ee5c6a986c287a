// One connection to the owner of a bucket, over which its windows are copied. Dials again for as
// long as the owner stays the same; a connection that says nothing for SILENCE_MS is given up.

import { WebSocket } from 'ws';
import type { Clock, TimerHandle } from '../../clock/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ReplicaMirror } from './replica-mirror.ts';

const REDIAL_MS = 250;
const HANDSHAKE_TIMEOUT_MS = 3_000;
const PING_MS = 3_000;
const SILENCE_MS = 10_000;
/** One frame of a copy, at most the records of 100 ms; above it the connection begins anew. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

export interface ReplicaClientOptions {
  url: string;
  mirror: ReplicaMirror;
  clock: Clock;
  logger: Logger;
}

export class ReplicaClient {
  readonly #options: ReplicaClientOptions;
  #socket: WebSocket | null = null;
  #timer: TimerHandle | null = null;
  #silence: TimerHandle | null = null;
  #pinger: TimerHandle | null = null;
  #isStopped = false;

  constructor(options: ReplicaClientOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    this.#pinger = clock.setTicker(PING_MS, () => this.#ping(), { background: true });
    this.#dial();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#silence?.cancel();
    this.#pinger?.cancel();
    this.#socket?.terminate();
  }

  #dial(): void {
    const { url, mirror, logger } = this.#options;
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      maxPayload: MAX_FRAME_BYTES,
    });
    this.#socket = socket;
    socket.on('open', () => {
      mirror.restart();
      this.#heard();
    });
    socket.on('pong', () => this.#heard());
    socket.on('message', (data: Buffer) => {
      if (this.#isStopped) return;
      this.#heard();
      try {
        mirror.apply(data);
      } catch (error) {
        logger.error({ error }, 'a window copy cannot be read');
        socket.terminate();
      }
    });
    socket.on('error', (error) => logger.debug({ error }, 'connection for window copies failed'));
    socket.on('close', () => this.#closed());
  }

  #closed(): void {
    this.#socket = null;
    this.#silence?.cancel();
    if (this.#isStopped) return;
    const { clock } = this.#options;
    this.#timer = clock.setTimer(REDIAL_MS, () => this.#dial(), { background: true });
  }

  #ping(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #heard(): void {
    this.#silence?.cancel();
    const { clock } = this.#options;
    this.#silence = clock.setTimer(SILENCE_MS, () => this.#socket?.terminate(), {
      background: true,
    });
  }
}
