// Sends load on HTTP/2 without TLS, as a process of its own told what to do over IPC: the same orders
// and results as load-worker.ts, its connections spread over few sockets as streams. Knows no fixed
// rate on purpose: node:http2 as a client costs more than what it measures, so latency under a rate
// would be its own.

import { type ClientHttp2Session, connect } from 'node:http2';
import type { LoadOrder, LoadResult } from './load-worker.ts';
import { percentile } from './stats.ts';

const STREAMS_PER_SOCKET = 8;
const CONNECT_RETRY_MS = 50;
const FIELDS: Readonly<Record<string, string>> = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36',
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
  'accept-language': 'en-GB,en;q=0.5',
  'accept-encoding': 'gzip, deflate, br',
  referer: 'http://hello.default.example.com/previous/page',
  cookie: 'session=0123456789abcdef0123456789abcdef; theme=dark',
  'cache-control': 'no-cache',
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'same-origin',
  'x-request-id': '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
};

class Run {
  readonly #order: LoadOrder;
  readonly #finish: (result: LoadResult) => void;
  readonly #fields: Readonly<Record<string, string>>;
  readonly #sessions: ClientHttp2Session[] = [];
  readonly #latenciesMs: number[] = [];
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  #sent = 0;
  #done = 0;
  #errors = 0;
  #hasEnded = false;

  constructor(order: LoadOrder, finish: (result: LoadResult) => void) {
    this.#order = order;
    this.#finish = finish;
    const fields = Object.entries(FIELDS).slice(0, Math.max(0, order.headerCount - 1));
    this.#fields = {
      ':path': order.path,
      ':authority': 'hello.default.example.com',
      ...Object.fromEntries(fields),
    };
    const sockets = Math.ceil(order.connections / STREAMS_PER_SOCKET);
    for (let index = 0; index < sockets; index += 1) this.#open();
    setTimeout(() => this.#end(), order.durationMs);
  }

  #open(): void {
    const session = connect(`http://${this.#order.host}:${this.#order.port}`);
    this.#sessions.push(session);
    session.on('error', () => session.destroy());
    session.on('close', () => {
      if (this.#hasEnded) return;
      this.#errors += 1;
      setTimeout(() => this.#open(), CONNECT_RETRY_MS);
    });
    session.once('connect', () => {
      for (let index = 0; index < STREAMS_PER_SOCKET; index += 1) this.#send(session);
    });
  }

  #send(session: ClientHttp2Session): void {
    if (this.#hasEnded || session.destroyed || this.#sent >= this.#order.maxRequests) return;
    this.#sent += 1;
    const sentAtMs = performance.now();
    const stream = session.request(this.#fields, { endStream: true });
    let status = 0;
    stream.on('response', (headers) => {
      status = Number(headers[':status']);
    });
    stream.on('error', () => undefined);
    stream.on('close', () => {
      if (this.#hasEnded) return;
      this.#done += 1;
      if (status !== 200 || stream.rstCode !== 0) this.#errors += 1;
      this.#latenciesMs.push(performance.now() - sentAtMs);
      if (this.#done >= this.#order.maxRequests) this.#end();
      else this.#send(session);
    });
    stream.resume();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const session of this.#sessions) session.destroy();
    const elapsedMs = performance.now() - this.#startMs;
    const { user, system } = process.cpuUsage(this.#startCpu);
    this.#finish({
      requests: this.#done,
      errors: this.#errors,
      elapsedMs,
      busy: (user + system) / 1000 / elapsedMs,
      p50Ms: percentile(this.#latenciesMs, 50),
      p99Ms: percentile(this.#latenciesMs, 99),
    });
  }
}

process.on('message', (order: LoadOrder) => {
  new Run(order, (result) => process.send?.(result));
});
