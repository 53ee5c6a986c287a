// Finds out about ports the only way that tells the truth: a plain bind (an SO_REUSEPORT listener
// would be missed by asking anything else). Each probe holds the port for well under a millisecond.

import { createServer } from 'node:net';
import type { PortProbe } from './addresses.ts';

/** The port bound, or the error code (`EADDRINUSE`, …). `port` 0 = any. */
export function tryBind(host: string, port: number): Promise<number | string> {
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

export const systemPorts: PortProbe = {
  canBind: async (host, port) => (await tryBind(host, port)) === port,
  async freePort(host) {
    const bound = await tryBind(host, 0);
    if (typeof bound === 'string') throw new Error(`cannot bind any port on ${host}: ${bound}`);
    return bound;
  },
};
