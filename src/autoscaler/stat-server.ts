// The stat socket (AS-179 to AS-183, ACT-152 to ACT-159): activators push batches of stats over one
// websocket each; the same port answers kubelet probes and shows recent decisions. A frame is
// decoded and handled in the callback that delivered it, so there is no queue to bound: a sender
// faster than this thread is slowed by TCP. Built on µWebSockets.js, with its traps in mind:
// `listen` succeeds on a port another process holds, so the port is tried with node:net first;
// `req` is read only inside its handler; every handler answers before it returns.

import uws from 'uWebSockets.js';
import type { Clock } from '../clock/clock.ts';
import { listenUws } from '../proxy/uws-listen.ts';
import type { Logger } from '../telemetry/logger.ts';
import { KUBELET_PROBE_KEY, KUBELET_USER_AGENT_PREFIX } from '../wire/probe-headers.ts';
import { WAKE_NOTICE_HEADER } from '../wire/wake-notice.ts';
import { REPLICA_PATH } from './ha/high-availability.ts';
import { type ReplicaData, type ReplicaSocket, replicaBehavior } from './ha/replica-socket.ts';
import type { ReplicaSink } from './ha/replica-source.ts';

/** One frame; a batch of 100,000 revisions is about 7 MB. The connection is closed beyond. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** Connections at once; further upgrades get 503. */
export const MAX_STAT_CONNECTIONS = 4096;
/** AS-182. */
const RESTARTING_CODE = 1012;
const RESTARTING_REASON = 'Restarting';
/** How long close frames may take to leave before the sockets are cut. */
const CLOSE_GRACE_MS = 50;

export interface StatServerOptions {
  host: string;
  /** 0 = any free port. */
  port: number;
  clock: Clock;
  logger: Logger;
  /** One binary frame; the bytes are its own only until this returns. Throws on a broken one. */
  onFrame: (bytes: Uint8Array) => void;
  /** JSON of the recent decisions of `namespace/name`; null = unknown revision. */
  decisions: (key: string) => string | null;
  /** JSON of the present state of all revisions. */
  overview: () => string;
  /** AS-180. */
  ownsBucket: (bucket: string) => boolean;
  /** Another autoscaler wants a copy of a bucket's windows; null = not ours to give. */
  subscribe: (bucket: string, sink: ReplicaSink) => (() => void) | null;
}

export interface StatServer {
  readonly port: number;
  /** One text to every activator that asked for wake notices. */
  tellWakes(text: string): void;
  /** Sends every client 1012 `Restarting`, then closes. */
  stop(): Promise<void>;
}

interface StatData {
  readonly wantsWakes: boolean;
}
type Socket = uws.WebSocket<StatData>;
const BUCKET_HOST_PREFIX = 'autoscaler-bucket';

/** Rejects with the bind error (`EADDRINUSE`, …) when the address cannot be had. */
export async function startStatServer(options: StatServerOptions): Promise<StatServer> {
  const sockets = new Set<Socket>();
  const wakeListeners = new Set<Socket>();
  const state = { isStopping: false };
  const app = uws.App();
  const replicas = new Set<ReplicaSocket>();
  app.ws<ReplicaData>(`${REPLICA_PATH}/:bucket`, replicaBehavior(options, replicas, state));
  app.ws<StatData>('/*', websocketBehavior(options, sockets, wakeListeners, state));
  app.get('/decisions/:namespace/:name', (response, request) => {
    const key = `${request.getParameter(0)}/${request.getParameter(1)}`;
    answerDecisions(response, options.decisions(key));
  });
  app.get('/decisions', (response) => answerDecisions(response, options.overview()));
  app.any('/*', (response, request) => answerPlain(response, request));
  const { host } = options;
  const { socket: listenSocket, port } = await listenUws(uws, app, { host, port: options.port });
  return {
    port,
    tellWakes(text) {
      for (const socket of wakeListeners) socket.send(text, false);
    },
    async stop() {
      state.isStopping = true;
      uws.us_listen_socket_close(listenSocket);
      for (const socket of [...sockets]) socket.end(RESTARTING_CODE, RESTARTING_REASON);
      for (const socket of [...replicas]) socket.end(RESTARTING_CODE, RESTARTING_REASON);
      if (sockets.size > 0) await options.clock.sleep(CLOSE_GRACE_MS);
      app.close();
    },
  };
}

function websocketBehavior(
  options: StatServerOptions,
  sockets: Set<Socket>,
  wakeListeners: Set<Socket>,
  state: { isStopping: boolean },
): uws.WebSocketBehavior<StatData> {
  return {
    maxPayloadLength: MAX_FRAME_BYTES,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    compression: uws.DISABLED,
    upgrade(response, request, context) {
      if (isProbe(request)) return void response.end();
      const bucket = bucketOfHost(request.getHeader('host'));
      // ACT-154: whose bucket this is not answers 200 with nothing, so that the dial fails.
      if (bucket !== null && !options.ownsBucket(bucket)) return void response.end();
      const refusal = refuseUpgrade(request, state.isStopping, sockets.size);
      if (refusal !== null) return void response.writeStatus(refusal).end();
      const data = { wantsWakes: request.getHeader(WAKE_NOTICE_HEADER) !== '' };
      response.upgrade(data, request.getHeader('sec-websocket-key'), '', '', context);
    },
    open(socket) {
      sockets.add(socket);
      if (socket.getUserData().wantsWakes) wakeListeners.add(socket);
      options.logger.info({ connections: sockets.size }, 'stat connection opened');
    },
    message(_socket, message, isBinary) {
      if (!isBinary) {
        options.logger.error({}, 'dropping a stat message that is not binary');
        return;
      }
      try {
        options.onFrame(new Uint8Array(message));
      } catch (error) {
        options.logger.error({ error, bytes: message.byteLength }, 'cannot decode a stat frame');
      }
    },
    close(socket, code) {
      sockets.delete(socket);
      wakeListeners.delete(socket);
      options.logger.info({ connections: sockets.size, code }, 'stat connection closed');
    },
  };
}

/** AS-180: the first label of a host that names a bucket. */
function bucketOfHost(host: string): string | null {
  return host.startsWith(BUCKET_HOST_PREFIX) ? (host.split('.')[0] ?? null) : null;
}

/** ACT-155: what a plain websocket library would refuse. Null = welcome. */
function refuseUpgrade(
  request: uws.HttpRequest,
  isStopping: boolean,
  connections: number,
): string | null {
  if (isStopping || connections >= MAX_STAT_CONNECTIONS) return '503 Service Unavailable';
  if (request.getHeader('sec-websocket-version') !== '13') return '400 Bad Request';
  if (request.getHeader('sec-websocket-key').length !== 24) return '400 Bad Request';
  const origin = request.getHeader('origin');
  if (origin === '') return null;
  return hostOf(origin) === request.getHeader('host').toLowerCase() ? null : '403 Forbidden';
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host.toLowerCase() : null;
}

function isProbe(request: uws.HttpRequest): boolean {
  return (
    request.getHeader('user-agent').startsWith(KUBELET_USER_AGENT_PREFIX) ||
    request.getHeader(KUBELET_PROBE_KEY) !== ''
  );
}

/** ACT-155: a request that is no upgrade. */
function answerPlain(response: uws.HttpResponse, request: uws.HttpRequest): void {
  if (isProbe(request)) response.end();
  else if (request.getHeader('connection') === '') response.writeStatus('400 Bad Request').end();
  else response.writeStatus('426 Upgrade Required').writeHeader('Upgrade', 'websocket').end();
}

function answerDecisions(response: uws.HttpResponse, body: string | null): void {
  response.cork(() => {
    if (body === null) response.writeStatus('404 Not Found').end('unknown revision\n');
    else response.writeHeader('Content-Type', 'application/json').end(body);
  });
}
