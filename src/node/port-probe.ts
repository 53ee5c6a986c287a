// Finds out about ports the only way that tells the truth: a plain bind (an SO_REUSEPORT listener
// would be missed by asking anything else). A bare handle is bound and closed in one turn, 20 µs;
// a server that listens and closes costs five times that and several turns, and a pod that wakes
// waits for it. Where Node has no such handle, a server does it.

import { createServer, isIPv4 } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { PortProbe } from './addresses.ts';

/** The calls return 0 or the number of an error. */
interface TcpHandle {
  bind(address: string, port: number): number;
  getsockname(into: { port?: number }): number;
  close(): void;
}

interface TcpBinding {
  readonly TCP: new (type: number) => TcpHandle;
  readonly constants: { readonly SERVER: number };
}

const binding = loadBinding();

/** The port bound, or the error code (`EADDRINUSE`, …). `port` 0 = any. */
export async function tryBind(host: string, port: number): Promise<number | string> {
  return binding !== null && isIPv4(host)
    ? bindHandle(binding, host, port)
    : listenAndClose(host, port);
}

function bindHandle({ TCP, constants }: TcpBinding, host: string, port: number): number | string {
  const handle = new TCP(constants.SERVER);
  try {
    const bound = handle.bind(host, port);
    const found: { port?: number } = {};
    // libuv keeps EADDRINUSE for the next call.
    const status = bound !== 0 ? bound : handle.getsockname(found);
    return status === 0 ? (found.port ?? port) : getSystemErrorName(status);
  } finally {
    handle.close();
  }
}

function listenAndClose(host: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(bound));
    });
  });
}

function loadBinding(): TcpBinding | null {
  try {
    const { binding: load } = process as unknown as { binding(name: string): unknown };
    const { TCP, constants } = load('tcp_wrap') as Partial<TcpBinding>;
    const isKnown = typeof TCP === 'function' && typeof constants?.SERVER === 'number';
    const calls = ['bind', 'getsockname'] as const;
    if (!isKnown || calls.some((name) => typeof TCP.prototype[name] !== 'function')) return null;
    return { TCP, constants };
  } catch {
    return null; // Node without such a thing, or one that forbids it.
  }
}

export const systemPorts: PortProbe = {
  canBind: async (host, port) => (await tryBind(host, port)) === port,
  async freePort(host) {
    const bound = await tryBind(host, 0);
    if (typeof bound === 'string') throw new Error(`cannot bind any port on ${host}: ${bound}`);
    return bound;
  },
};
