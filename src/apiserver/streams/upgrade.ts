// Requests that turn a connection into streams: exec, attach and port-forward of pods (KN-232,
// KN-233), over WebSockets or SPDY/3.1. Guarded like any other request. What can be refused before
// the connection changes is answered as an ordinary Status; later, in the protocol's own way.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type * as core from '../../api/core.ts';
import { Pod } from '../../api/kinds.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { KindRegistry } from '../kind-registry.ts';
import { chooseContainer } from '../pod-log-handler.ts';
import type { PodLogSource } from '../pod-logs.ts';
import { type ExecSession, PodStreamError, type PodStreams } from '../pod-streams.ts';
import { parseResourcePath } from '../resource-path.ts';
import { badRequest, notFound, StatusError } from '../status-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { storeKey } from '../store/stored.ts';
import { attachToLog } from './attach.ts';
import { CHANNEL_PROTOCOLS, MAX_CHANNEL_MESSAGE_BYTES, openChannels } from './channel-socket.ts';
import { createPortForward } from './port-forward.ts';
import { type RemoteStreams, runRemoteCommand } from './remote-command.ts';
import { COMMAND_PROTOCOLS, CommandStreams } from './spdy-command.ts';
import { SpdySession } from './spdy-session.ts';

export interface StreamDependencies {
  registry: KindRegistry;
  store: ObjectStore;
  pods: PodStreams;
  podLogs: PodLogSource;
  clock: Clock;
  logger: Logger;
}

type Action = 'exec' | 'attach' | 'portforward';

interface StreamRequest {
  action: Action;
  pod: core.Pod;
  container: string;
  command: readonly string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

const FORWARD_PROTOCOL = 'portforward.k8s.io';
const TUNNELLED_FORWARD_PROTOCOL = `SPDY/3.1+${FORWARD_PROTOCOL}`;
const ACTIONS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

/** Takes the connection over, or throws a StatusError before it has. */
export function serveStreams(
  deps: StreamDependencies,
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const request = parseRequest(deps, message);
  const upgrade = (message.headers.upgrade ?? '').toLowerCase();
  if (upgrade === 'websocket') serveWebSocket(deps, request, message, socket, head);
  else if (upgrade === 'spdy/3.1') serveSpdy(deps, request, message, socket, head);
  else throw badRequest(`unable to upgrade: ${upgrade} is neither websocket nor SPDY/3.1`);
}

function parseRequest(deps: StreamDependencies, message: IncomingMessage): StreamRequest {
  const { pathname, searchParams: query } = new URL(message.url ?? '/', 'https://server');
  const target = parseResourcePath(deps.registry, pathname);
  const action = target?.subresource ?? '';
  if (target === null || target.kind !== Pod || !ACTIONS.has(action)) {
    throw badRequest('connections to this path cannot be upgraded');
  }
  const { namespace, name } = target;
  const pod = deps.store.of(Pod).get(storeKey(namespace, name))?.object as core.Pod | undefined;
  if (pod === undefined) throw notFound(Pod, name);
  const isOn = (key: string): boolean => ['true', '1'].includes(query.get(key) ?? '');
  const tty = isOn('tty');
  const request = {
    action: action as Action,
    pod,
    container: '',
    command: query.getAll('command'),
    stdin: isOn('stdin'),
    stdout: isOn('stdout'),
    stderr: isOn('stderr') && !tty,
    tty,
  };
  if (action === 'portforward') return request;
  if (!request.stdin && !request.stdout && !request.stderr) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
  if (action === 'exec' && request.command.length === 0) {
    throw badRequest('you must specify at least one command for the container');
  }
  return { ...request, container: chooseContainer(pod, query.get('container') ?? '') };
}

const offered = (header: string | string[] | undefined): string[] =>
  String(header ?? '')
    .split(',')
    .map((name) => name.trim());

/** The newest protocol both sides know; throws when there is none. */
function chooseProtocol(known: readonly string[], header: string | string[] | undefined): string {
  const names = offered(header);
  const chosen = known.find((name) => names.includes(name));
  if (chosen !== undefined) return chosen;
  throw badRequest(`unable to upgrade: none of [${names.join(', ')}] is known, only ${known[0]}`);
}

function serveWebSocket(
  deps: StreamDependencies,
  request: StreamRequest,
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const isForward = request.action === 'portforward';
  const known = isForward ? [TUNNELLED_FORWARD_PROTOCOL] : CHANNEL_PROTOCOLS;
  const protocol = chooseProtocol(known, message.headers['sec-websocket-protocol']);
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_CHANNEL_MESSAGE_BYTES,
    handleProtocols: () => protocol,
  });
  server.handleUpgrade(message, socket, head, (webSocket: WebSocket) => {
    if (isForward) serveForward(deps, request, createWebSocketStream(webSocket));
    else void serveCommand(deps, request, openChannels(webSocket, request));
  });
}

function serveSpdy(
  deps: StreamDependencies,
  request: StreamRequest,
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const isForward = request.action === 'portforward';
  const known = isForward ? [FORWARD_PROTOCOL] : COMMAND_PROTOCOLS;
  const protocol = chooseProtocol(known, message.headers['x-stream-protocol-version']);
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  if (isForward) {
    serveForward(deps, request, socket);
    return;
  }
  const streams = new CommandStreams(request);
  const session = new SpdySession(socket, streams.onStream);
  const whenGone = session.run();
  streams.complete(deps.clock).then(
    () => serveCommand(deps, request, streams.asRemote(session, whenGone)),
    () => session.close(),
  );
}

function serveForward(deps: StreamDependencies, { pod }: StreamRequest, transport: Duplex): void {
  const findPort = (port: number) => deps.pods.findPort(pod, port);
  const onStream = createPortForward(pod.metadata.name, findPort, deps.clock);
  void new SpdySession(transport, onStream).run();
}

async function serveCommand(
  deps: StreamDependencies,
  request: StreamRequest,
  remote: RemoteStreams,
): Promise<void> {
  try {
    const session = await openSession(deps, request);
    await runRemoteCommand(remote, session);
  } catch (error) {
    const expected = error instanceof PodStreamError || error instanceof StatusError;
    if (!expected) deps.logger.error({ error }, 'a command beside a container failed');
    const why = error instanceof Error ? error.message : String(error);
    remote.finish({
      metadata: {},
      status: 'Failure',
      message: `Internal error occurred: ${why}`,
      reason: 'InternalError',
      details: { causes: [{ message: why }] },
      code: 500,
    });
  }
}

function openSession(deps: StreamDependencies, request: StreamRequest): Promise<ExecSession> {
  const { pod, container, action } = request;
  if (action === 'attach') return attachToLog(deps.podLogs, pod, container);
  const { command, stdin, tty } = request;
  return deps.pods.exec({ pod, container, command, stdin, tty });
}
