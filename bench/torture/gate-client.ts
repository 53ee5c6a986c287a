// A client of the gate scenario: one connection, one request at a time, able to leave in the middle.

import { connect, type Socket } from 'node:net';

export type Ending = 'served' | 'full' | 'left' | 'lost';

const REQUEST = 'GET / HTTP/1.1\r\nHost: gate.example\r\n\r\n';
const FULL = 'pending request queue full\n';

export class GateClient {
  readonly #port: number;
  #socket: Socket | null = null;

  constructor(port: number) {
    this.#port = port;
  }

  /** `leaveAfterMs` null = stays for the answer. `lost`: closed on us without an answer. */
  ask(leaveAfterMs: number | null): Promise<Ending> {
    const socket = this.#connected();
    return new Promise((resolve) => {
      let received = '';
      const end = (ending: Ending, keep: boolean): void => {
        clearTimeout(timer);
        socket.removeAllListeners('data');
        socket.removeAllListeners('close');
        if (!keep) this.leave();
        resolve(ending);
      };
      const timer =
        leaveAfterMs === null ? undefined : setTimeout(() => end('left', false), leaveAfterMs);
      socket.on('data', (bytes: Buffer) => {
        received += bytes.toString('latin1');
        const ending = endingOf(received);
        if (ending !== null) end(ending, true);
      });
      socket.on('close', () => end('lost', false));
      socket.write(REQUEST);
    });
  }

  leave(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #connected(): Socket {
    if (this.#socket !== null) return this.#socket;
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => socket.destroy());
    this.#socket = socket;
    return socket;
  }
}

/** Null while the answer is not whole. */
function endingOf(received: string): Ending | null {
  const bodyAt = received.indexOf('\r\n\r\n') + 4;
  const length = /content-length: (\d+)/i.exec(received)?.[1];
  if (bodyAt < 4 || length === undefined) return null;
  if (received.length < bodyAt + Number(length)) return null;
  if (received.startsWith('HTTP/1.1 200')) return 'served';
  const isFull = received.startsWith('HTTP/1.1 503') && received.endsWith(FULL);
  return isFull ? 'full' : 'lost';
}
