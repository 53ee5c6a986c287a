// Whose callers are still there, as the kernel knows it now: an application hears of a closed
// connection some turns of its event loop later, and of arrivals on other connections before that.

import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';

/** Local and remote port and state of a connection. */
const ROW = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) /gm;
const ESTABLISHED = '01';

/**
 * How many of `responses`, given by a server at `port` on IPv4, have a caller that has not closed
 * its end. All of them where the system has no such table.
 */
export function callersPresent(port: number, responses: ReadonlySet<ServerResponse>): number {
  const present = new Set<number>();
  for (const [, local = '', remote = '', state] of readTable().matchAll(ROW)) {
    if (Number.parseInt(local, 16) !== port || state !== ESTABLISHED) continue;
    present.add(Number.parseInt(remote, 16));
  }
  if (present.size === 0) return responses.size;
  return [...responses].filter(({ socket }) => present.has(socket?.remotePort ?? 0)).length;
}

function readTable(): string {
  try {
    return readFileSync('/proc/self/net/tcp', 'latin1');
  } catch {
    return '';
  }
}
