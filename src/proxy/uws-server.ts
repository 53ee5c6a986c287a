// The second server engine: µWebSockets.js in front, everything behind the request head shared with
// the default engine (decision 0002). What it cannot pass is listed in docs/engines.md. One app per
// server, so one per thread; several threads may listen on one port (`shared`). An app left open
// when its thread ends takes the process down with it: `close` before that.
// Hot: `#onRequest` runs once per request.

import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';
import type { Clock, TimerHandle } from '../clock/clock.ts';
import { equalsFold } from './characters.ts';
import { FieldKind } from './header-fields.ts';
import { RequestHead, RequestVerdict } from './request-head.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits, ListenOptions } from './types.ts';
import { type Handshake, UwsClient, type UwsHost } from './uws-client.ts';
import { listenUws } from './uws-listen.ts';
import type { UwsModule, UwsParts } from './uws-module.ts';
import { requestHeadBytes } from './uws-request.ts';
import {
  type FrameCodec,
  MAX_WEBSOCKET_MESSAGE_BYTES,
  type WebSocketRelay,
} from './uws-websocket.ts';

/** Well inside the engine's ten seconds, whose granularity is four. */
const REARM_MS = 3_000;
/** Request heads kept for reuse; more are made anew and dropped after use. */
const MAX_SPARE_HEADS = 256;
const WEBSOCKET = 'websocket';
const EXTENSIONS = 'sec-websocket-extensions';
const NO_DATE = { get: () => '' };

type RelaySocket = WebSocket<{ relay: WebSocketRelay }>;

export interface UwsServerDeps {
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
}

export class UwsServer implements HttpServer, UwsHost {
  readonly handler: ExchangeHandler;
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly date = NO_DATE;
  readonly frames: FrameCodec;
  isDraining = false;
  connectionCount = 0;
  rejectedCount = 0;
  readonly #uws: UwsModule;
  readonly #clients = new Set<UwsClient>();
  readonly #spareHeads: RequestHead[] = [];
  #app: TemplatedApp | null = null;
  #listening: us_listen_socket | null = null;
  #ticker: TimerHandle | null = null;
  #drained: Promise<void> | null = null;
  #onDrained: (() => void) | null = null;

  constructor(parts: UwsParts, handler: ExchangeHandler, deps: UwsServerDeps) {
    this.#uws = parts.uws;
    this.frames = parts.frames;
    this.handler = handler;
    this.limits = deps.limits;
    this.clock = deps.clock;
  }

  async listen(options: ListenOptions): Promise<{ port: number }> {
    const app = this.#uws.App();
    const count = (_response: HttpResponse, change: unknown): void => {
      this.connectionCount += Number(change);
    };
    app.filter(count);
    app.ws('/*', this.#webSocketBehavior());
    app.any('/*', (response, request) => this.#onRequest(response, request, null));
    try {
      const { socket, port } = await listenUws(this.#uws, app, options);
      this.#app = app;
      this.#listening = socket;
      this.#startTicking();
      return { port };
    } catch (error) {
      app.close();
      throw error;
    }
  }

  /**
   * Resolves once no request is under way. Answers say `Connection: close` from here on; idle
   * connections the engine cannot close one by one, so they go with `close`.
   */
  drain(): Promise<void> {
    if (this.#drained !== null) return this.#drained;
    this.isDraining = true;
    this.#stopListening();
    this.#drained = new Promise((resolve) => {
      this.#onDrained = resolve;
    });
    this.#checkDrained();
    return this.#drained;
  }

  close(): Promise<void> {
    this.#stopListening();
    this.#ticker?.cancel();
    this.#ticker = null;
    const app = this.#app;
    this.#app = null;
    app?.close();
    return Promise.resolve();
  }

  onTunnel(): void {
    this.#checkDrained();
  }

  onRejected(): void {
    this.rejectedCount += 1;
  }

  onClientDone(client: UwsClient, head: RequestHead): void {
    this.#clients.delete(client);
    if (this.#spareHeads.length < MAX_SPARE_HEADS) this.#spareHeads.push(head);
    this.#checkDrained();
  }

  #onRequest(response: HttpResponse, request: HttpRequest, handshake: Handshake | null): void {
    const head = this.#spareHeads.pop() ?? new RequestHead();
    const verdict = readHead(head, request, this.limits.maxHeadBytes);
    const isSwitch = handshake !== null && equalsFold(head.upgrade, WEBSOCKET);
    const client = new UwsClient(this, response, head, isSwitch ? handshake : null);
    this.#clients.add(client);
    if (verdict !== RequestVerdict.OK) {
      client.reject(verdict);
      return;
    }
    // RFC 9110 7.8: an upgrade nobody can carry out is no reason to refuse the request.
    if (isSwitch) withdrawExtensions(head);
    else head.upgrade = '';
    client.begin();
  }

  #webSocketBehavior(): WebSocketBehavior<{ relay: WebSocketRelay }> {
    return {
      maxPayloadLength: MAX_WEBSOCKET_MESSAGE_BYTES,
      // No limit of the engine's own: the exchange has its timeouts, and pings are the peers' affair.
      idleTimeout: 0,
      sendPingsAutomatically: false,
      maxBackpressure: 0,
      compression: this.#uws.DISABLED,
      upgrade: (response, request, context: us_socket_context_t) => {
        const key = request.getHeader('sec-websocket-key');
        this.#onRequest(response, request, { key, context });
      },
      open: (socket) => relayOf(socket).onOpen(socket),
      message: (socket, message, isBinary) => relayOf(socket).onMessage(message, isBinary),
      ping: (socket, message) => relayOf(socket).onPing(message),
      pong: (socket, message) => relayOf(socket).onPong(message),
      drain: (socket) => relayOf(socket).onDrain(),
      close: (socket, code, message) => relayOf(socket).onClose(code, message),
    };
  }

  #startTicking(): void {
    const onTick = (): void => {
      for (const client of [...this.#clients]) client.rearm();
    };
    this.#ticker = this.clock.setTicker(REARM_MS, onTick, { background: true });
  }

  #stopListening(): void {
    if (this.#listening !== null) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = null;
  }

  /** QP-121, QP-122: tunnels have no end of their own, so draining does not wait for them. */
  #checkDrained(): void {
    if (this.#onDrained === null) return;
    for (const client of this.#clients) {
      if (!client.isTunnel) return;
    }
    // A turn later, when the last answer has left the engine's cork.
    setImmediate(this.#onDrained);
    this.#onDrained = null;
  }
}

function readHead(head: RequestHead, request: HttpRequest, maxBytes: number): RequestVerdict {
  const bytes = requestHeadBytes(request);
  head.restart();
  if (bytes === null) return RequestVerdict.MALFORMED;
  if (bytes.length > maxBytes) return RequestVerdict.TOO_LARGE;
  const verdict = head.read(bytes, 0, bytes.length);
  // Every line is there, so a head that wants more is one the rules cannot read.
  return verdict === RequestVerdict.INCOMPLETE ? RequestVerdict.MALFORMED : verdict;
}

/** The engine cannot frame for extensions, so the application must not agree to any. */
function withdrawExtensions(head: RequestHead): void {
  for (let index = 0; index < head.fields.count; index += 1) {
    if (head.fields.isNamed(index, EXTENSIONS)) head.fields.mark(index, FieldKind.NAMED);
  }
}

function relayOf(socket: RelaySocket): WebSocketRelay {
  return socket.getUserData().relay;
}
