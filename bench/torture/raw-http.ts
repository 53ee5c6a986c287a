// Both ends of a connection in raw bytes, as fast or as slow as a scenario wants: an application
// that gets each request's head, a client, a source that pours and a sink that sips. Nothing here
// buffers more than a socket does, so that what grows is the sidecar.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** How a body says where it ends. */
export type Framing = 'length' | 'chunked';

const PIECE_BYTES = 64 * 1024;
const BODY_PIECE = Buffer.alloc(PIECE_BYTES, 'x');
const CHUNK_PIECE = Buffer.concat([
  Buffer.from(`${PIECE_BYTES.toString(16)}\r\n`),
  BODY_PIECE,
  Buffer.from('\r\n'),
]);
export const LAST_CHUNK = '0\r\n\r\n';
const HEAD_END = '\r\n\r\n';
const SIP_PERIOD_MS = 50;

export interface RawApp {
  readonly port: number;
  close(): void;
}

/** Called once per connection, with the head and the body bytes that came along. */
export type OnRequest = (socket: Socket, head: string, rest: Buffer) => void;

/** Hands over each socket with its request; answers have to say `Connection: close`. */
export async function startRawApp(onRequest: OnRequest): Promise<RawApp> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    void readHead(socket).then(({ head, rest }) => {
      if (head !== '') onRequest(socket, head, rest);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Connected; errors only close it. */
export async function openClient(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.on('error', () => socket.destroy());
  return socket;
}

/** The next head, '' when the connection ended before it; leaves the socket paused. */
export function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const finish = (head: string, rest: Buffer): void => {
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      resolve({ head, rest });
    };
    const onClose = (): void => finish('', Buffer.alloc(0));
    const onData = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes]);
      const at = seen.indexOf(HEAD_END);
      if (at < 0) return;
      const bodyAt = at + HEAD_END.length;
      finish(seen.toString('latin1', 0, bodyAt), seen.subarray(bodyAt));
    };
    socket.on('data', onData);
    socket.on('close', onClose);
  });
}

/** Header line for a body of that many bytes. */
export function framingHeader(framing: Framing, bytes: number): string {
  return framing === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
}

/** Writes `bytes` (a multiple of 64 KiB) as fast as they are taken; ends early with the socket. */
export function pour(socket: Socket, framing: Framing, bytes: number): Promise<void> {
  const piece = framing === 'chunked' ? CHUNK_PIECE : BODY_PIECE;
  let left = bytes / PIECE_BYTES;
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    const write = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= 1;
        if (!socket.write(piece) && left > 0) {
          socket.once('drain', write);
          return;
        }
      }
      if (framing === 'chunked') socket.write(LAST_CHUNK);
      resolve();
    };
    write();
  });
}

/** Counts what arrives at full speed; resolves when the connection ends or `isDone` says so. */
export function gulp(
  socket: Socket,
  isDone: (total: number, last: Buffer) => boolean,
): Promise<number> {
  return new Promise((resolve) => {
    let total = 0;
    const finish = (): void => {
      socket.off('data', onData);
      resolve(total);
    };
    const onData = (bytes: Buffer): void => {
      total += bytes.length;
      if (isDone(total, bytes)) finish();
    };
    socket.on('data', onData);
    socket.once('close', finish);
    socket.resume();
  });
}

/** Reads that many bytes a second, and no more, until stopped. */
export class Sip {
  total = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(socket: Socket, bytesPerSecond: number) {
    let allowance = 0;
    socket.on('readable', () => undefined);
    this.#timer = setInterval(() => {
      allowance = Math.min(allowance, bytesPerSecond) + (bytesPerSecond * SIP_PERIOD_MS) / 1000;
      while (allowance >= 1) {
        const size = Math.min(Math.floor(allowance), socket.readableLength);
        const bytes: Buffer | null = size > 0 ? socket.read(size) : socket.read(0);
        if (bytes === null) return;
        allowance -= bytes.length;
        this.total += bytes.length;
      }
    }, SIP_PERIOD_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
