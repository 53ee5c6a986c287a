// Opens a port for µWebSockets.js. Its own `listen` succeeds on a port another process of its kind
// already holds (SO_REUSEPORT), so a port is first tried with node:net, which notices, and given
// back at once; only threads that join a port of their own process skip that.

import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { createServer } from 'node:net';
import type { ListenOptions } from './types.ts';
import type { UwsModule } from './uws-module.ts';

export interface UwsListening {
  readonly socket: us_listen_socket;
  readonly port: number;
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

function findPort({ host, port }: ListenOptions): Promise<number> {
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
