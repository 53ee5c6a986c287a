// What a conformance row works with: a real server of the engine under test, a real application in
// raw bytes behind it, and clients in raw bytes before it. A row says what is sent and looks at what
// either end received. Nothing here knows the engine.

import assert from 'node:assert/strict';
import { systemClock } from '../../../src/clock/clock.ts';
import type { HttpEngine } from '../../../src/proxy/http-engine.ts';
import { ProxyHarness, RawApp, type RawSocket } from '../../../src/proxy/testing/harness.ts';
import { firstAnswer, firstRequest, type RawMessage } from './raw-message.ts';

/** How long a row waits for what must come; engines known to fail rows may be given less. */
const DEFAULT_PATIENCE_MS = 10_000;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** Requests for this target are answered by the handler, without the application. */
export const LOCAL_TARGET = '/local';
export const LOCAL_BODY = 'local answer';
/** The request head limit of the server under test. */
export const MAX_HEAD_BYTES = 64 * 1024;

export interface ContextOptions {
  engine: HttpEngine;
  patienceMs?: number;
}

/** What the application does with a request. */
export interface AppScript {
  /** Sent when the request is there; the last one for all that follow. */
  answers: readonly string[];
  /** The application ends its connection behind an answer. */
  ends: boolean;
  /** It does not wait for the body. */
  isEarly: boolean;
}

export class Http1Context {
  readonly engine: HttpEngine;
  readonly harness: ProxyHarness;
  readonly app: RawApp;
  script: AppScript = { answers: [OK], ends: false, isEarly: false };
  readonly #patienceMs: number;
  #answered = 0;

  constructor({ engine, patienceMs = DEFAULT_PATIENCE_MS }: ContextOptions) {
    this.engine = engine;
    this.#patienceMs = patienceMs;
    this.harness = new ProxyHarness({ engine, limits: { maxHeadBytes: MAX_HEAD_BYTES } });
    this.app = new RawApp((connection) => this.#serve(connection));
  }

  async start(): Promise<void> {
    const { handler } = this.harness;
    handler.onRequestHook = (exchange) => {
      if (exchange.target === LOCAL_TARGET) {
        exchange.respond(200, 'Content-Type: text/plain\r\n', LOCAL_BODY);
      } else if (handler.upstream !== null) exchange.forward(handler.upstream, handler.edits);
    };
    await this.harness.start(await this.app.listen());
  }

  async stop(): Promise<void> {
    await this.harness.stop();
    this.app.close();
  }

  /** The application sends `answer` to every request; see AppScript for the rest. */
  answerWith(answer: string, options: Partial<AppScript> = {}): void {
    this.script = { answers: [answer], ends: false, isEarly: false, ...options };
  }

  #serve(connection: RawSocket): void {
    let seen = 0;
    connection.socket.on('data', () => {
      for (;;) {
        const text = connection.received.slice(seen);
        const request = this.script.isEarly ? headOnly(text) : firstRequest(text);
        if (request === null) return;
        seen += text.length - request.rest.length;
        const { answers, ends } = this.script;
        connection.write(answers[Math.min(this.#answered, answers.length - 1)]!);
        this.#answered += 1;
        if (ends) connection.socket.end();
      }
    });
    connection.socket.on('end', () => connection.socket.end());
  }

  async until(condition: () => boolean, what: () => string): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + this.#patienceMs;
    while (!condition()) {
      assert.ok(systemClock.monotonicMs() < deadlineMs, `never came: ${what()}`);
      await systemClock.sleep(1);
    }
  }

  /** Everything the application received, on all connections. */
  get appReceived(): string {
    return this.app.connections.map(({ received }) => received).join('');
  }

  async untilAppReceived(text: string): Promise<void> {
    await this.until(
      () => this.appReceived.includes(text),
      () =>
        `${JSON.stringify(text)} at the application; it got ${JSON.stringify(this.appReceived)}`,
    );
  }

  async untilReceived(client: RawSocket, text: string): Promise<void> {
    await this.until(
      () => client.received.includes(text),
      () => `${JSON.stringify(text)} at the client; it got ${JSON.stringify(client.received)}`,
    );
  }

  async untilOver(client: RawSocket): Promise<void> {
    await this.until(
      () => client.hasClosed || client.hasEnded,
      () => `end of the connection; the client got ${JSON.stringify(client.received)}`,
    );
  }

  /** Waits for `count` final answers on `client` and gives all its answers, interim ones too. */
  async answers(client: RawSocket, count = 1, method = 'GET'): Promise<RawMessage[]> {
    let found: RawMessage[] = [];
    const isDone = (): boolean => {
      found = answersIn(client, method);
      return found.filter(({ status }) => status >= 200 || status === 101).length >= count;
    };
    await this.until(isDone, () => `${count} answers; got ${JSON.stringify(client.received)}`);
    return found;
  }

  /** Sends a request and gives it back as the application received it, once it was answered. */
  async forwarded(request: string): Promise<RawMessage> {
    const client = await this.harness.send(request);
    const [answer] = await this.answers(client, 1, request.slice(0, request.indexOf(' ')));
    assert.equal(answer?.status, 200, client.received);
    const received = firstRequest(this.appReceived);
    assert.ok(received, `the application got ${JSON.stringify(this.appReceived)}`);
    return received;
  }

  /** Sends a request to an application that sends `answer`; gives the client's final answer. */
  async relayed(
    answer: string,
    request = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    options: Partial<AppScript> = {},
  ): Promise<RawMessage> {
    this.answerWith(answer, options);
    const client = await this.harness.send(request);
    const answers = await this.answers(client, 1, request.slice(0, request.indexOf(' ')));
    return answers.at(-1)!;
  }

  /** The request is answered `status` with `Connection: close`, counted, and nothing is forwarded. */
  async refuses(request: string, status = 400): Promise<void> {
    const before = this.harness.server.rejectedCount;
    const client = await this.harness.send(request);
    await this.untilOver(client);
    assert.match(client.received, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(client.received, /\r\nconnection: close\r\n/i);
    assert.equal(this.appReceived, '');
    assert.equal(this.harness.server.rejectedCount - before, 1, 'rejectedCount');
  }

  /** The application's answer is not passed on: the client gets a 502 made here. */
  async refusesAnswer(answer: string): Promise<void> {
    const received = await this.relayed(answer, undefined, { ends: true });
    assert.equal(received.status, 502, received.head);
    assert.equal(received.rest, '');
  }
}

function headOnly(text: string): RawMessage | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0 || !/^[A-Z]+ /.test(text)) return null;
  const request = firstRequest(
    `${text.slice(0, end).replace(/\r\n(content-length|transfer-encoding):[^\r]*/gi, '')}\r\n\r\n`,
  );
  return request === null ? null : { ...request, rest: text.slice(end + 4) };
}

function answersIn(client: RawSocket, method: string): RawMessage[] {
  const found: RawMessage[] = [];
  const isOver = client.hasEnded || client.hasClosed;
  for (let text = client.received; text !== ''; text = found.at(-1)!.rest) {
    const answer = firstAnswer(text, method, isOver);
    if (answer === null) return found;
    found.push(answer);
    if (answer.status === 101) return found;
  }
  return found;
}
