// One request on µWebSockets.js and the client behind it: the engine knows no connections, only
// responses, so each request has a client of its own. Feeds the body to the exchange as fast as
// that takes it, reads a bounded bit ahead of a held request, and keeps the engine's ten-second
// body timer from firing while a body rests (`rearm`).
// Invariants: `onAborted` is attached before anything else; every exchange begun is ended; the
// response is not touched after its end; the engine's chunks are copied, it takes them back.
// Hot: one per request.

import type { HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { Clock } from '../clock/clock.ts';
import { ByteBacklog } from './byte-backlog.ts';
import type { ExchangeClient } from './exchange-client.ts';
import { refuseBeyond } from './held-bytes.ts';
import { NetExchange } from './net-exchange.ts';
import { rejectionFor } from './replies.ts';
import type { RequestHead, RequestVerdict } from './request-head.ts';
import { type ExchangeHandler, type HttpServerLimits, Outcome } from './types.ts';
import { addressText } from './uws-address.ts';
import { UwsAnswer, type UwsAnswerOwner } from './uws-answer.ts';
import { type FrameCodec, WebSocketRelay } from './uws-websocket.ts';

const EMPTY = Buffer.alloc(0);
const HEAD_END = '\r\n\r\n';

/** What a client needs of the server. */
export interface UwsHost {
  readonly handler: ExchangeHandler;
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly isDraining: boolean;
  /** The engine writes Date itself. */
  readonly date: { get(): string };
  readonly frames: FrameCodec;
  onTunnel(): void;
  onRejected(): void;
  /** Nothing of the request is under way any more; its head may be used again. */
  onClientDone(client: UwsClient, head: RequestHead): void;
}

/** What a request to switch to a websocket brings beside its head. */
export interface Handshake {
  readonly key: string;
  readonly context: us_socket_context_t;
}

export class UwsClient implements ExchangeClient, UwsAnswerOwner {
  readonly host: UwsHost;
  readonly handler: ExchangeHandler;
  readonly clock: Clock;
  readonly peerAddress: string;
  /** The engine does not tell. */
  readonly peerPort = 0;
  readonly answer: UwsAnswer;
  exchange: NetExchange | null = null;
  readonly #head: RequestHead;
  readonly #handshake: Handshake | null;
  #relay: WebSocketRelay | null = null;
  /** Null for a request without a body. */
  #backlog: ByteBacklog | null = null;
  /** The engine delivered the last byte of the body. */
  #hasBodyEnded = true;
  #isPaused = false;
  /** The engine's handler runs; body bytes of the same read follow it. */
  #isBeginning = false;
  #isDone = false;

  constructor(
    host: UwsHost,
    response: HttpResponse,
    head: RequestHead,
    handshake: Handshake | null,
  ) {
    response.onAborted(() => this.#onAborted());
    this.host = host;
    this.handler = host.handler;
    this.clock = host.clock;
    this.peerAddress = addressText(response.getRemoteAddress());
    this.answer = new UwsAnswer(response, this);
    this.#head = head;
    this.#handshake = handshake;
  }

  get isTunnel(): boolean {
    return this.#relay !== null;
  }

  /** Hands the request to the role. */
  begin(): void {
    const nowMs = this.clock.monotonicMs();
    if (this.#head.contentLength !== 0) this.#expectBody();
    const exchange = new NetExchange(this, this.#head, nowMs);
    this.exchange = exchange;
    this.#isBeginning = true;
    this.handler.onRequest(exchange);
    this.#isBeginning = false;
  }

  /** QP-7: refused before any role saw it. */
  reject(verdict: RequestVerdict): void {
    this.host.onRejected();
    const text = rejectionFor(verdict);
    const bodyAt = text.indexOf(HEAD_END) + HEAD_END.length;
    this.answer.refuse(text.slice(0, bodyAt), text.slice(bodyAt));
  }

  /** The engine gives up what rests for ten seconds; called every few to show that it does not. */
  rearm(): void {
    const response = this.answer.response;
    if (response === null) return;
    if (this.#isPaused) {
      response.resume();
      response.pause();
    } else if (!this.#hasBodyEnded) {
      response.pause();
      response.resume();
    } else if (this.answer.isCongested) response.resume();
    this.answer.rearm();
  }

  // What the exchange asks.

  stepMs(readMs: number): number {
    return this.#isBeginning ? readMs : this.clock.monotonicMs();
  }

  pump(): void {
    const exchange = this.exchange;
    if (exchange === null) return;
    if (this.#relay !== null) {
      this.#relay.onApplicationDrain();
      return;
    }
    this.#deliver(exchange);
    // The head of the request shares a write with the body that came in the same read.
    if (this.#isBeginning) setImmediate(flushLater, this);
    else exchange.flushRequest();
    this.#regulate();
  }

  startTunnel(): void {
    const exchange = this.exchange;
    const handshake = this.#handshake;
    if (exchange === null || handshake === null) return;
    const relay = new WebSocketRelay(this.host.frames, exchange);
    this.#relay = relay;
    this.answer.upgrade(relay, handshake.key, handshake.context);
    this.host.onTunnel();
  }

  onExchangeEnd(_exchange: NetExchange, outcome: Outcome): void {
    this.exchange = null;
    if (outcome !== Outcome.COMPLETE) {
      this.answer.abort();
      this.#relay?.abort();
    }
    this.#checkDone();
  }

  // What the answer reports.

  onAnswerDrained(): void {
    this.exchange?.onClientDrain();
  }

  onAnswerEnding(): void {
    // A paused body would stay paused: after the end nobody can resume it.
    if (this.#isPaused) this.#setPaused(false);
  }

  onAnswerDone(): void {
    this.#checkDone();
  }

  flush(): void {
    this.exchange?.flushRequest();
  }

  // The body.

  #expectBody(): void {
    this.#backlog = new ByteBacklog(this.host.limits.held);
    this.#hasBodyEnded = false;
    this.answer.response?.onData((chunk, isLast) => this.#onData(chunk, isLast));
  }

  #onData(chunk: ArrayBuffer, isLast: boolean): void {
    if (isLast) this.#hasBodyEnded = true;
    const exchange = this.exchange;
    const backlog = this.#backlog;
    // After an early answer the rest of the body is read and thrown away.
    if (exchange === null || backlog === null) return;
    const bytes = new Uint8Array(chunk);
    if (backlog.length > 0 || !exchange.canTakeBytes) {
      backlog.append(bytes, 0, bytes.length);
      refuseBeyond(this.host.limits.held, exchange);
    } else if (isLast || bytes.length > 0) {
      exchange.onBody(Buffer.from(bytes), 0, bytes.length, isLast, '');
    }
    this.#regulate();
  }

  #deliver(exchange: NetExchange): void {
    const backlog = this.#backlog;
    if (backlog === null || !exchange.canTakeBytes) return;
    const isDue = this.#hasBodyEnded && !exchange.requestComplete;
    if (backlog.length === 0 && !isDue) return;
    const bytes = backlog.length === 0 ? EMPTY : backlog.take();
    exchange.onBody(bytes, 0, bytes.length, this.#hasBodyEnded, '');
  }

  #regulate(): void {
    const backlog = this.#backlog;
    if (backlog === null) return;
    const isFull = backlog.length >= this.host.limits.readAheadBytes && !this.#hasBodyEnded;
    if (isFull !== this.#isPaused) this.#setPaused(isFull);
  }

  #setPaused(isPaused: boolean): void {
    const response = this.answer.response;
    if (response === null) return;
    this.#isPaused = isPaused;
    if (isPaused) response.pause();
    else response.resume();
    // Either makes the engine forget that it waits for room to write.
    this.answer.rearm();
  }

  // Ends.

  #onAborted(): void {
    this.answer.gone();
    this.exchange?.onClientGone();
    this.#checkDone();
  }

  #checkDone(): void {
    if (this.#isDone || this.exchange !== null || this.answer.response !== null) return;
    this.#isDone = true;
    this.#backlog?.clear();
    this.host.onClientDone(this, this.#head);
  }
}

function flushLater(client: UwsClient): void {
  client.flush();
}
