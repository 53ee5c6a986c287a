// A TCP client that shows the bytes of an answer as they came, for tests that care about them.

import { connect, type Socket } from 'node:net';

export class RawClient {
  /** Everything received since the last `take`. */
  received = '';
  closed = false;
  readonly socket: Socket;
  #onChange: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.#onChange?.();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.closed = true;
      this.#onChange?.();
    });
  }

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  /** Opens a connection, sends one request without body and reads its answer. */
  static async ask(port: number, path: string, ...headers: string[]): Promise<RawAnswer> {
    const client = await RawClient.connect(port);
    client.request('GET', path, ...headers);
    const answer = await client.answer();
    client.socket.destroy();
    return answer;
  }

  request(method: string, path: string, ...headers: string[]): void {
    const lines = [`${method} ${path} HTTP/1.1`, 'Host: hello.example.com', ...headers];
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  /** Resolves when `isThere` holds; rejects when the connection closed without it. */
  until(isThere: (received: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (isThere(this.received)) resolve();
        else if (this.closed) reject(new Error(`closed after ${JSON.stringify(this.received)}`));
        else {
          this.#onChange = look;
          return;
        }
        this.#onChange = null;
      };
      look();
    });
  }

  untilClosed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed) resolve();
      else this.socket.once('close', () => resolve());
    });
  }

  /** One answer with a Content-Length, or without body when `isHead`. */
  async answer(isHead = false): Promise<RawAnswer> {
    await this.until((text) => text.includes('\r\n\r\n'));
    const headEnd = this.received.indexOf('\r\n\r\n') + 4;
    const head = this.received.slice(0, headEnd);
    const length = isHead ? 0 : Number(/\r\nContent-Length: (\d+)/i.exec(head)?.[1] ?? 0);
    await this.until((text) => text.length >= headEnd + length);
    const body = this.received.slice(headEnd, headEnd + length);
    this.received = this.received.slice(headEnd + length);
    const [statusLine = '', ...lines] = head.trimEnd().split('\r\n');
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    return { status: Number(statusLine.split(' ')[1]), headers: new Map(headers), body };
  }
}

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}
