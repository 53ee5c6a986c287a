// A pod for load tests: a TCP server that reads heads of HTTP/1.1 requests without parsing more than
// it must, runs each for as long as the test says and remembers which it received. `kill` does what
// the kernel does to the sockets of a process that is gone.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
const QUEUE_PROBE = 'k-network-probe: queue';

export interface RawPodOptions {
  /** How long a request runs, in ms; 0 = answered at once. */
  runMs(): number;
  after(delayMs: number, callback: () => void): void;
  /** Called with each request received, before it is answered. */
  onRequest?(pod: RawPod): void;
}

export class RawPod {
  running = 0;
  maxRunning = 0;
  /** The `x-id` of every request, in order of arrival. */
  readonly ids: string[] = [];
  isDead = false;
  readonly #options: RawPodOptions;
  readonly #server: Server;
  /** Connections and whether anything was ever read from them. */
  readonly #sockets = new Map<Socket, boolean>();

  private constructor(options: RawPodOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(options: RawPodOptions): Promise<RawPod> {
    const pod = new RawPod(options);
    pod.#server.listen(0, '127.0.0.1');
    await once(pod.#server, 'listening');
    return pod;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  kill(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#server.close();
    for (const [socket, wasRead] of this.#sockets) {
      // Closing with unread bytes resets; with none it would end, which only bytes on the way tell.
      if (wasRead) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  #serve(socket: Socket): void {
    this.#sockets.set(socket, false);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      if (this.isDead) return;
      this.#sockets.set(socket, true);
      text += bytes.toString('latin1');
      const end = text.indexOf(HEAD_END);
      if (end < 0) return;
      const head = text.slice(0, end).toLowerCase();
      const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
      if (text.length < end + HEAD_END.length + length) return;
      text = '';
      if (head.includes(QUEUE_PROBE)) socket.write(answer('queue'));
      else this.#run(socket, /x-id: (\S+)/.exec(head)?.[1] ?? '');
    });
  }

  #run(socket: Socket, id: string): void {
    this.ids.push(id);
    this.running += 1;
    this.maxRunning = Math.max(this.maxRunning, this.running);
    this.#options.onRequest?.(this);
    const runMs = this.#options.runMs();
    if (runMs === 0) this.#finish(socket);
    else this.#options.after(runMs, () => this.#finish(socket));
  }

  #finish(socket: Socket): void {
    this.running -= 1;
    if (!this.isDead) socket.write(answer('done'));
  }
}

function answer(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
