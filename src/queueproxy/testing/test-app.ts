// The application behind a sidecar under test: holds every request until the test lets it go, and
// remembers the largest number it had inside at once.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

export interface HeldRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class TestApp {
  readonly held: HeldRequest[] = [];
  inside = 0;
  mostInside = 0;
  /** Set to answer at once instead of holding. */
  answer: ((held: HeldRequest) => void) | null = null;
  readonly #server: Server;
  #onArrival: (() => void) | null = null;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.inside += 1;
      this.mostInside = Math.max(this.mostInside, this.inside);
      response.on('close', () => {
        this.inside -= 1;
      });
      response.on('error', () => undefined);
      const held = { request, response };
      if (this.answer !== null) this.answer(held);
      else this.held.push(held);
      this.#onArrival?.();
    });
    // Accepts any upgrade and sends back what it gets, after a byte the client did not send.
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => socket.destroy());
      const upgrade = request.headers.upgrade;
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`,
      );
      socket.pipe(socket);
    });
  }

  static async start(port = 0): Promise<TestApp> {
    const app = new TestApp();
    await new Promise<void>((resolve) => app.#server.listen(port, '127.0.0.1', resolve));
    return app;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Waits until that many requests are held. */
  untilHeld(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.held.length < count) return;
        this.#onArrival = null;
        resolve();
      };
      this.#onArrival = look;
      look();
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
