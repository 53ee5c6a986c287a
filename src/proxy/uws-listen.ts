// Opens a port for µWebSockets.js. Its own `listen` succeeds on a port another process of its kind
// already holds (SO_REUSEPORT), so the address is first bound by Node, which notices, and given
// back at once; only threads that join a port of their own process skip that. Where Node offers its
// handle the address is bound without listening: a client that came to a socket about to close
// would be cut.

import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { createServer, isIPv4, isIPv6 } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { ListenOptions } from './types.ts';
import type { UwsModule } from './uws-module.ts';

export interface UwsListening {
  readonly socket: us_listen_socket;
  readonly port: number;
}

/** libuv's TCP socket, as far as it is needed; the calls return 0 or the number of an error. */
interface TcpHandle {
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  getsockname(into: { port?: number }): number;
  close(): void;
}

interface TcpBinding {
  readonly TCP: new (type: number) => TcpHandle;
  readonly constants: { readonly SERVER: number };
}

/** Rejects with the system's error (`EADDRINUSE`, …) when the port cannot be had. */
export async function listenUws(
  uws: UwsModule,
  app: TemplatedApp,
  options: ListenOptions,
): Promise<UwsListening> {
  const port = options.shared === true ? options.port : await findPort(options);
  return new Promise((resolve, reject) => {
    app.listen(options.host, port, (socket) => {
      if (socket === false) reject(new Error(`cannot listen on ${options.host}:${port}`));
      else resolve({ socket, port: uws.us_socket_local_port(socket) });
    });
  });
}

function findPort(options: ListenOptions): Promise<number> {
  const { host } = options;
  const binding = isIPv4(host) || isIPv6(host) ? loadBinding() : null;
  return binding === null ? findPortListening(options) : findPortBinding(binding, options);
}

async function findPortBinding(
  { TCP, constants }: TcpBinding,
  { host, port }: ListenOptions,
): Promise<number> {
  const handle = new TCP(constants.SERVER);
  try {
    const bound = isIPv4(host) ? handle.bind(host, port) : handle.bind6(host, port, 0);
    const found: { port?: number } = {};
    // libuv keeps EADDRINUSE for the next call.
    const status = bound !== 0 ? bound : handle.getsockname(found);
    if (status === 0) return found.port ?? port;
    const code = getSystemErrorName(status);
    const message = `bind ${code} ${host}:${port}`;
    throw Object.assign(new Error(message), { code, errno: status, syscall: 'bind' });
  } finally {
    handle.close();
  }
}

/** For host names, and where Node has no such handle. */
function findPortListening({ host, port }: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      probe.close(() => resolve(found));
    });
  });
}

function loadBinding(): TcpBinding | null {
  try {
    const { binding: load } = process as unknown as { binding(name: string): unknown };
    const { TCP, constants } = load('tcp_wrap') as Partial<TcpBinding>;
    const isKnown = typeof TCP === 'function' && typeof constants?.SERVER === 'number';
    const calls = ['bind', 'bind6', 'getsockname'] as const;
    if (!isKnown || calls.some((name) => typeof TCP.prototype[name] !== 'function')) return null;
    return { TCP, constants };
  } catch {
    return null; // Node without such a thing, or one that forbids it.
  }
}
