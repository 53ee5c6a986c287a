// An application port that speaks HTTP/1.1 and HTTP/2 by first bytes, as a sidecar's does: probes and
// HTTP/1 requests go to one function, HTTP/2 streams to another. Real sockets on loopback; with
// `tls` everything is behind TLS and ALPN decides.

import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';

export type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
export type OnRequest = (request: IncomingMessage, response: ServerResponse) => void;

/** 200 `queue` to a probe, 404 to anything else. */
export function answerProbes(request: IncomingMessage, response: ServerResponse): void {
  const isProbe = request.headers['k-network-probe'] === 'queue';
  response.writeHead(isProbe ? 200 : 404).end(isProbe ? 'queue' : '');
}

export class DualApp {
  /** Heads of HTTP/2 requests, in order of arrival. */
  readonly requests: { headers: IncomingHttpHeaders }[] = [];
  /** Connections accepted so far. */
  accepted = 0;
  /** ALPN results of TLS connections, in order. */
  readonly protocols: (string | false | null)[] = [];
  readonly #server: Server;
  readonly #http1;
  readonly #http2;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(onStream: OnStream, onRequest: OnRequest = answerProbes, tls?: TlsOptions) {
    this.#http1 = createHttpServer(onRequest);
    this.#http1.keepAliveTimeout = 0;
    this.#http2 = createHttp2Server();
    this.#http2.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => undefined);
    });
    this.#http2.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      this.requests.push({ headers });
      onStream(stream, headers);
    });
    this.#server =
      tls === undefined
        ? createServer((socket) => this.#onTcp(socket))
        : createTlsServer({ ...tls, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) =>
            this.#onTls(socket),
          );
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(...args: ConstructorParameters<typeof DualApp>): Promise<DualApp> {
    const app = new DualApp(...args);
    app.#server.listen(0, '127.0.0.1');
    await once(app.#server, 'listening');
    return app;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.accepted += 1;
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #onTcp(socket: Socket): void {
    this.#keep(socket);
    socket.once('readable', () => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      socket.unshift(bytes);
      const isHttp2 = bytes.toString('latin1', 0, 3) === 'PRI';
      (isHttp2 ? this.#http2 : this.#http1).emit('connection', socket);
    });
  }

  #onTls(socket: TLSSocket): void {
    this.#keep(socket);
    this.protocols.push(socket.alpnProtocol);
    const isHttp2 = socket.alpnProtocol === 'h2';
    if (isHttp2) this.#http2.emit('connection', socket);
    else this.#http1.emit('connection', socket);
  }
}
