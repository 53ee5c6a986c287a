// TLS in front of the request plane (QP-4): terminates, lets ALPN choose, and hands the connection
// to the same two paths as the open port. A client that speaks plain HTTP here is told so, which is
// why the first byte is looked at before node:tls sees the connection. node:tls is loaded with the
// first `listen`. Not hot; what runs per request is behind `accept`.

import { createServer, type Server, type Socket } from 'node:net';
import type { SecureContext, Server as SecureServer, TLSSocket, TlsOptions } from 'node:tls';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ClientSocket } from './client-closing.ts';
import { peerOf } from './connection-host.ts';
import { Http2Server } from './h2-server.ts';
import { createNetServer, type NetHttpServer } from './net-server.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits, ListenOptions } from './types.ts';

const TCP_KEEP_ALIVE_MS = 15_000;
const HANDSHAKE_RECORD = 0x16;
const LETTER_A = 65;
const LETTER_Z = 90;
/** QP-4. */
const PLAIN_HTTP_ANSWER =
  'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';

export interface CertificatePem {
  readonly cert: string;
  readonly key: string;
}

/** Versions, suites and curves as node:tls wants them. */
export type TlsPolicy = Pick<TlsOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'ecdhCurve'>;

export interface TlsServerDeps {
  readonly limits: HttpServerLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: TlsPolicy;
  /** Draining waits for streams of HTTP/2, too. Default false: QP-121. */
  readonly awaitsStreams?: boolean;
  /** Certificates by the name a client asks for; null = none: the handshake fails (ING-33). */
  readonly contextFor?: (serverName: string) => SecureContext | null;
}

export class TlsServer implements HttpServer {
  readonly #deps: TlsServerDeps;
  readonly #net: NetHttpServer;
  readonly #http2: Http2Server;
  readonly #listener: Server;
  #secure: SecureServer | null = null;
  #pem: CertificatePem | null = null;
  /** Connections whose handshake is not complete, by `endpointsOf`. */
  readonly #starting = new Map<string, Socket>();

  constructor(handler: ExchangeHandler, deps: TlsServerDeps) {
    const { limits, clock, logger } = deps;
    this.#deps = deps;
    const { headTimeoutMs, held } = limits;
    const shared = { clock, logger, headTimeoutMs, held };
    this.#http2 = new Http2Server(handler, { ...shared, isSecure: true });
    this.#net = createNetServer(handler, {
      limits,
      clock,
      logger,
      http2: this.#http2,
      isSecure: true,
      awaitsStreams: deps.awaitsStreams ?? false,
    });
    this.#listener = createServer(
      {
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      },
      (socket) => this.#onConnection(socket),
    );
  }

  get listener(): Server {
    return this.#listener;
  }

  get connectionCount(): number {
    return this.#net.connectionCount;
  }

  get rejectedCount(): number {
    return this.#net.rejectedCount;
  }

  /** For new handshakes from now on. Throws, and keeps the old pair, when these do not fit. */
  async useCertificate(pem: CertificatePem): Promise<void> {
    const tls = await import('node:tls');
    tls.createSecureContext({ ...this.#deps.policy, ...pem });
    this.#pem = pem;
    this.#secure?.setSecureContext({ ...this.#deps.policy, ...pem });
  }

  /** There has to be a certificate, or `contextFor`. */
  async listen(options: ListenOptions): Promise<{ port: number }> {
    const tls = await import('node:tls');
    const secure = tls.createServer({
      ...this.#deps.policy,
      ...this.#pem,
      ALPNProtocols: ['h2', 'http/1.1'],
      ...this.#sniOptions(),
      handshakeTimeout: this.#deps.limits.headTimeoutMs,
    });
    secure.on('secureConnection', (socket) => this.#onSecure(socket));
    secure.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#secure = secure;
    return this.#listen(options);
  }

  #sniOptions(): Pick<TlsOptions, 'SNICallback'> {
    const { contextFor } = this.#deps;
    if (contextFor === undefined) return {};
    return {
      SNICallback: (serverName, done) => {
        const context = contextFor(serverName);
        if (context !== null) done(null, context);
        else done(new Error(`no certificate for ${JSON.stringify(serverName)}`));
      },
    };
  }

  drain(): Promise<void> {
    void this.#stopListening();
    for (const socket of [...this.#starting.values()]) socket.destroy();
    return this.#net.drain();
  }

  async close(): Promise<void> {
    const closed = this.#stopListening();
    for (const socket of [...this.#starting.values()]) socket.destroy();
    await this.#net.close();
    await closed;
  }

  #listen(options: ListenOptions): Promise<{ port: number }> {
    return new Promise((resolve, reject) => {
      this.#listener.once('error', reject);
      const { port, host, descriptor } = options;
      this.#listener.listen(descriptor === undefined ? { port, host } : { fd: descriptor }, () => {
        this.#listener.off('error', reject);
        this.#listener.on('error', (error) => {
          this.#deps.logger.warn({ error }, 'accepting failed');
        });
        const address = this.#listener.address();
        resolve({ port: address === null || typeof address === 'string' ? 0 : address.port });
      });
    });
  }

  #stopListening(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#listener.listening) this.#listener.close(() => resolve());
      else resolve();
    });
  }

  #onConnection(socket: Socket): void {
    const endpoints = endpointsOf(socket);
    this.#starting.set(endpoints, socket);
    const { clock, limits } = this.#deps;
    const expire = (): void => {
      socket.destroy();
    };
    const timer = clock.setTimer(limits.headTimeoutMs, expire, { background: true });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      timer.cancel();
      this.#starting.delete(endpoints);
    });
    const look = (): void => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      socket.off('readable', look);
      // The timer runs on for who got an answer and has yet to leave.
      if (this.#choose(socket, bytes)) timer.cancel();
    };
    socket.on('readable', look);
  }

  /** True when TLS takes over, with a time limit of its own. */
  #choose(socket: Socket, bytes: Buffer): boolean {
    const first = bytes[0]!;
    if (first !== HANDSHAKE_RECORD && first >= LETTER_A && first <= LETTER_Z) {
      socket.end(PLAIN_HTTP_ANSWER);
      socket.resume();
      return false;
    }
    socket.unshift(bytes);
    this.#secure?.emit('connection', socket);
    return true;
  }

  #onSecure(socket: TLSSocket): void {
    const endpoints = endpointsOf(socket);
    const tcp = this.#starting.get(endpoints);
    this.#starting.delete(endpoints);
    const client = socket as ClientSocket;
    // A reset has to reach TCP: TLS itself knows none.
    client.resetAndDestroy = () => (tcp === undefined ? socket.destroy() : tcp.resetAndDestroy());
    const peer = peerOf(socket);
    if (socket.alpnProtocol === 'h2') this.#http2.accept(client, peer);
    else this.#net.accept(client, peer);
  }
}

/** What a TCP connection and the TLS on top of it have in common. */
function endpointsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
}
