// Opening a port where the settings leave the address open (QP-1). Cold.

import type { HttpServer } from './types.ts';

/** `host` '' = every interface, IPv4 and IPv6 where the machine has both. Returns the port. */
export async function listenAnywhere(
  server: Pick<HttpServer, 'listen'>,
  host: string,
  port: number,
): Promise<number> {
  if (host !== '') return (await server.listen({ host, port })).port;
  try {
    return (await server.listen({ host: '::', port })).port;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL') throw error;
    return (await server.listen({ host: '0.0.0.0', port })).port;
  }
}
