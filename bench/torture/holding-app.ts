// The application behind the scenarios about waiting: `/hold` is answered only when the scenario
// says so, `/upload` says how much it got, `/stream` sends events until it is released, `/quick`
// answers at once, and any upgrade is echoed until the application ends it.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

const EVENT_PERIOD_MS = 100;
const LAST_WORDS = 'last words of the application';

export interface HoldingApp {
  readonly port: number;
  /** Requests inside that wait for `release`, streams included. */
  readonly heldCount: number;
  untilHeld(count: number): Promise<void>;
  /** Ends everything held, tunnels after a last word to their clients. */
  release(): void;
  close(): void;
}

export async function startHoldingApp(): Promise<HoldingApp> {
  let held: (() => void)[] = [];
  let tunnels: Duplex[] = [];
  let look: () => void = () => undefined;
  const keep = (response: ServerResponse, finish: () => void): void => {
    held.push(finish);
    response.on('close', () => {
      held = held.filter((other) => other !== finish);
    });
    look();
  };
  const server = createServer((request, response) => answer(request, response, keep));
  server.on('upgrade', (request, socket) => {
    tunnels.push(acceptUpgrade(request, socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get heldCount() {
      return held.length;
    },
    untilHeld: (count) =>
      new Promise((resolve) => {
        look = () => {
          if (held.length >= count) resolve();
        };
        look();
      }),
    release: () => {
      for (const finish of held.splice(0)) finish();
      for (const tunnel of tunnels.splice(0)) tunnel.end(LAST_WORDS);
    },
    close: () => {
      for (const tunnel of tunnels) tunnel.destroy();
      tunnels = [];
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  keep: (response: ServerResponse, finish: () => void) => void,
): void {
  response.on('error', () => undefined);
  if (request.url === '/hold') keep(response, () => response.end('held'));
  else if (request.url === '/stream') stream(response, keep);
  else if (request.url === '/upload') {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.setHeader('X-Got', bytes).end());
  } else response.end('quick');
}

/** Events until it is released, then a last one. */
function stream(
  response: ServerResponse,
  keep: (response: ServerResponse, finish: () => void) => void,
): void {
  response.setHeader('Content-Type', 'text/event-stream');
  response.write('data: first\n\n');
  const timer = setInterval(() => response.write('data: tick\n\n'), EVENT_PERIOD_MS);
  response.on('close', () => clearInterval(timer));
  keep(response, () => {
    clearInterval(timer);
    response.end('data: last\n\n');
  });
}

function acceptUpgrade(request: IncomingMessage, socket: Duplex): Duplex {
  const protocol = request.headers.upgrade ?? '';
  socket.on('error', () => socket.destroy());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
  );
  socket.pipe(socket, { end: false });
  return socket;
}
