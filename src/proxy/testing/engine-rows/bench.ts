// What every row of the engine suite works with: one application in raw bytes, one proxy on the
// engine under test, clients in raw bytes. A row states one requirement; `net` must meet all of
// them, and those `uws` misses are listed in docs/engines.md, which a test holds against the facts.

import { systemClock } from '../../../clock/clock.ts';
import type { HttpEngine } from '../../http-engine.ts';
import type { HttpServerLimits } from '../../types.ts';
import { type ForwardingHandler, ProxyHarness, RawApp, type RawSocket } from '../harness.ts';

export interface EngineRow {
  /** Never changes; docs/engines.md names rows by it. */
  readonly id: string;
  /** RFC or QP number. */
  readonly section: string;
  readonly level: 'must' | 'should';
  /** A requirement as a sentence. */
  readonly says: string;
  /** Takes longer than ten seconds, whatever the machine. */
  readonly isSlow?: boolean;
  /** Throws where the engine does not do what the row says. */
  readonly run: (bench: EngineBench) => Promise<void>;
}

export class EngineBench {
  readonly engine: HttpEngine;
  readonly #patienceMs: number;
  #app: RawApp | null = null;
  #harness: ProxyHarness | null = null;

  constructor(engine: HttpEngine, patienceMs: number) {
    this.engine = engine;
    this.#patienceMs = patienceMs;
  }

  get app(): RawApp {
    if (this.#app === null) throw new Error('start first');
    return this.#app;
  }

  get harness(): ProxyHarness {
    if (this.#harness === null) throw new Error('start first');
    return this.#harness;
  }

  get handler(): ForwardingHandler {
    return this.harness.handler;
  }

  async start(
    onConnection?: (connection: RawSocket, index: number) => void,
    limits: Partial<HttpServerLimits> = {},
  ): Promise<void> {
    this.#app = new RawApp(onConnection);
    this.#harness = new ProxyHarness({ engine: this.engine, limits });
    await this.#harness.start(await this.#app.listen());
  }

  async stop(): Promise<void> {
    await this.#harness?.stop();
    this.#app?.close();
  }

  send(text: string): Promise<RawSocket> {
    return this.harness.send(text);
  }

  /** Sends `text` on a new connection and waits for `answer`. */
  async ask(text: string, answer = 'ok'): Promise<RawSocket> {
    const client = await this.send(text);
    await this.received(client, answer);
    return client;
  }

  async until(condition: () => boolean, what = 'condition'): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + this.#patienceMs;
    while (!condition()) {
      if (systemClock.monotonicMs() > deadlineMs) throw new Error(`never came: ${what}`);
      await systemClock.sleep(1);
    }
  }

  received(socket: RawSocket, text: string): Promise<void> {
    return this.until(() => socket.received.includes(text), JSON.stringify(text)).catch((error) => {
      const seen = JSON.stringify(socket.received.slice(0, 500));
      throw new Error(`${error.message}; received ${seen}`);
    });
  }

  closed(socket: RawSocket): Promise<void> {
    return this.until(() => socket.hasClosed || socket.hasEnded, 'end of connection');
  }

  /** The application's connection of that index, once it exists. */
  async upstream(index = 0): Promise<RawSocket> {
    await this.until(() => this.app.connections.length > index, `upstream connection ${index}`);
    return this.app.connections[index]!;
  }

  /** The application's connection, once a whole head arrived on it. */
  async asked(index = 0): Promise<RawSocket> {
    const upstream = await this.upstream(index);
    await this.received(upstream, '\r\n\r\n');
    return upstream;
  }

  /** Waits until `read` stops growing, and returns where. */
  async settled(read: () => number): Promise<number> {
    let before = -1;
    let stableTimes = 0;
    while (stableTimes < 20) {
      const now = read();
      stableTimes = now === before && now > 0 ? stableTimes + 1 : 0;
      before = now;
      await systemClock.sleep(10);
    }
    return before;
  }
}
