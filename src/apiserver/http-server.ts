// The HTTPS edge: guards, reads the body, finds who answers, sends what comes back. Everything a
// client can do wrong ends as a Status (KN-210); everything we do wrong is logged and ends as 500.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Guard } from './guard.ts';
import { type Reply, renderError, send } from './respond.ts';
import { badRequest, StatusError, tooLarge } from './status-error.ts';

/** KN-211. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/**
 * A body above the limit is read and dropped up to here, so that its sender gets to see the 413.
 */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024;
/** Longest request line plus headers. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Long, so that the scale patch of a wake after a quiet hour pays for no TLS handshake. */
const KEEP_ALIVE_MS = 3_600_000;
/** Open connections; more are closed at once. */
const MAX_CONNECTIONS = 10_000;
/** How long a stopping server waits for answers under way. */
const STOP_GRACE_MS = 2000;
/** Connections that became streams (exec, port-forward); more are refused with 503. */
const MAX_UPGRADED_CONNECTIONS = 1_000;
/** A client that does not finish its request by then is cut off. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface ApiExchange {
  method: string;
  path: string;
  query: URLSearchParams;
  request: IncomingMessage;
  response: ServerResponse;
  body: Buffer;
  warnings: string[];
}

/** null = the handler has taken over the response. */
export type ApiHandler = (exchange: ApiExchange) => Promise<Reply | null> | Reply | null;

/** Takes over a connection its client wants to speak something else on, or throws. */
export type UpgradeHandler = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => Promise<void>;

export interface HttpServerOptions {
  host: string;
  port: number;
  certificatePem: string;
  privateKeyPem: string;
  guard: Guard;
  handler: ApiHandler;
  upgrade: UpgradeHandler;
  clock: Clock;
  logger: Logger;
}

export interface RunningHttpServer {
  port: number;
  /** Ends when every connection is closed; idle ones at once, busy ones after their answer. */
  stop(): Promise<void>;
}

/** Rejects with the system's error (EADDRINUSE, …) when the port cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  /** Answers that are still to come; streams are not waited for. */
  const busy = new Set<ServerResponse>();
  const server = createServer(
    {
      cert: options.certificatePem,
      key: options.privateKeyPem,
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      noDelay: true,
    },
    (request, response) => {
      busy.add(response);
      response.once('close', () => busy.delete(response));
      void serve(request, response, options).then((isStreaming) => {
        if (isStreaming) busy.delete(response);
      });
    },
  );
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    void serveUpgrade(request, socket, head, upgraded, options);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options);
  server.on('error', (error) => options.logger.error({ error }, 'api server error'));
  const { port } = server.address() as AddressInfo;
  return { port, stop: () => stop(server, busy, upgraded, options.clock) };
}

function listen(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function stop(
  server: Server,
  busy: ReadonlySet<ServerResponse>,
  upgraded: ReadonlySet<Duplex>,
  clock: Clock,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  for (const socket of upgraded) socket.destroy(); // They have no end of their own to wait for.
  const answers = [...busy].map(
    (response) => new Promise<void>((resolve) => response.once('close', resolve)),
  );
  const timer = clock.setTimer(STOP_GRACE_MS, () => server.closeAllConnections());
  await Promise.all(answers);
  timer.cancel();
  // One more turn, so that streams that have just been ended get their last bytes out.
  await new Promise<void>((resolve) => setImmediate(resolve));
  server.closeAllConnections();
  await closed;
}

async function serveUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  upgraded: Set<Duplex>,
  options: HttpServerOptions,
): Promise<void> {
  upgraded.add(socket);
  socket.once('close', () => upgraded.delete(socket));
  socket.on('error', () => undefined); // 'close' follows.
  try {
    if (upgraded.size > MAX_UPGRADED_CONNECTIONS) throw tooManyStreams();
    const target = request.url ?? '/';
    options.guard.check(target.split('?')[0] ?? '/', request.headers);
    await options.upgrade(request, socket, head);
  } catch (error) {
    const reply = renderError(error, (unexpected) => {
      options.logger.error({ error: unexpected, path: request.url }, 'upgrade failed');
    });
    socket.end(
      `HTTP/1.1 ${reply.code} ${STATUS_CODES[reply.code] ?? ''}\r\nConnection: close\r\n` +
        `Content-Type: ${reply.contentType}\r\n` +
        `Content-Length: ${Buffer.byteLength(reply.body)}\r\n\r\n${reply.body}`,
    );
  }
}

const tooManyStreams = (): StatusError =>
  new StatusError(503, 'ServiceUnavailable', 'too many streaming connections are open');

/** True when the handler streams its answer itself. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
): Promise<boolean> {
  const warnings: string[] = [];
  let reply: Reply | null;
  try {
    reply = await answer(request, response, options, warnings);
  } catch (error) {
    if (!request.complete && !response.headersSent) response.setHeader('Connection', 'close');
    reply = renderError(error, (unexpected) => {
      options.logger.error({ error: unexpected, path: request.url }, 'request failed');
    });
  }
  if (reply === null) return true;
  const acceptsGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  send(response, reply, { acceptsGzip, warnings });
  return false;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
  warnings: string[],
): Promise<Reply | null> {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  options.guard.check(path, request.headers, request.socket);
  if (!path.startsWith('/')) throw badRequest('the request target must be a path');
  const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
  const body = hasBody ? await readBody(request) : EMPTY;
  return options.handler({
    method: request.method ?? 'GET',
    path,
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    request,
    response,
    body,
    warnings,
  });
}

const EMPTY = Buffer.alloc(0);

const bodyTooLarge = (): StatusError =>
  tooLarge(`Request entity too large: limit is ${MAX_BODY_BYTES}`);

function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      if (bytes <= MAX_DISCARDED_BYTES) return;
      request.pause();
      reject(bodyTooLarge());
    });
    request.on('end', () => {
      if (bytes > MAX_BODY_BYTES) reject(bodyTooLarge());
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
    });
    request.on('error', reject);
    request.on('close', () => {
      if (!request.complete) reject(badRequest('the client left before its request was complete'));
    });
  });
}
