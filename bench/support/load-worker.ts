// Sends load, as a process of its own told what to do over IPC. Two modes: as fast as the connections
// allow (for CPU per request) and at a fixed rate (for latency, counted from the moment a request was
// due, so that waiting is not hidden).

import { connect, type Socket } from 'node:net';
import { percentile } from './stats.ts';

export interface LoadOrder {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Headers beside Host. */
  readonly headerCount: number;
  /** Further header lines, sent as they are. */
  readonly extraHeaders?: readonly string[];
  /** Every request has a query and an X-Request-Id of its own, and so has its answer. */
  readonly isVaried?: boolean;
  readonly connections: number;
  /** Whichever of the two comes first ends the run. */
  readonly durationMs: number;
  readonly maxRequests: number;
  /** Requests per second; 0 = as many as possible. */
  readonly rate: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU the generator itself used, as a share of one core. */
  readonly busy: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('\r\nContent-Length: ');

class Run {
  readonly #order: LoadOrder;
  readonly #request: Buffer;
  /** What stands before, between and behind the numbers of a varied request; empty = none vary. */
  readonly #parts: readonly string[];
  readonly #latenciesMs: number[] = [];
  readonly #idle: LoadConnection[] = [];
  readonly #due: number[] = [];
  readonly #finish: (result: LoadResult) => void;
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  readonly #sockets: Socket[] = [];
  #sent = 0;
  #done = 0;
  #errors = 0;
  #scheduled = 0;
  #ended = false;

  constructor(order: LoadOrder, finish: (result: LoadResult) => void) {
    this.#order = order;
    this.#finish = finish;
    const text = requestText(order);
    this.#request = Buffer.from(text, 'latin1');
    this.#parts = order.isVaried === true ? text.split(REQUEST_ID) : [];
    for (let index = 0; index < order.connections; index += 1) this.#open();
    setTimeout(() => this.#end(), order.durationMs);
    if (order.rate > 0) this.#pace();
  }

  onReady(connection: LoadConnection): void {
    if (this.#ended) return;
    if (this.#order.rate === 0) this.#send(connection, performance.now());
    else {
      const dueMs = this.#due.shift();
      if (dueMs === undefined) this.#idle.push(connection);
      else this.#send(connection, dueMs);
    }
  }

  onAnswer(connection: LoadConnection, status: number): void {
    if (this.#ended) return;
    this.#done += 1;
    if (status !== 200) this.#errors += 1;
    this.#latenciesMs.push(performance.now() - connection.sentAtMs);
    if (this.#done >= this.#order.maxRequests) this.#end();
    else this.onReady(connection);
  }

  onLost(): void {
    if (this.#ended) return;
    this.#errors += 1;
    this.#open();
  }

  #open(): void {
    const { host, port } = this.#order;
    this.#sockets.push(new LoadConnection(host, port, this).socket);
  }

  #send(connection: LoadConnection, dueMs: number): void {
    if (this.#sent >= this.#order.maxRequests) return;
    this.#sent += 1;
    connection.sentAtMs = dueMs;
    if (this.#parts.length === 0) connection.socket.write(this.#request);
    else connection.socket.write(this.#parts.join(numbered(this.#sent)), 'latin1');
  }

  /** Hands out what fell due since the last look, a millisecond ago. */
  #pace(): void {
    if (this.#ended) return;
    const nowMs = performance.now();
    const target = Math.floor(((nowMs - this.#startMs) / 1000) * this.#order.rate);
    while (this.#scheduled < target) {
      this.#scheduled += 1;
      const dueMs = this.#startMs + (this.#scheduled / this.#order.rate) * 1000;
      const connection = this.#idle.pop();
      if (connection === undefined) this.#due.push(dueMs);
      else this.#send(connection, dueMs);
    }
    setTimeout(() => this.#pace(), 1);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const socket of this.#sockets) socket.destroy();
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

const REQUEST_ID = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736';

/** As long as REQUEST_ID, and different for every number. */
function numbered(number: number): string {
  return REQUEST_ID.slice(0, -8) + (number + 0x1000_0000).toString(16).slice(-8);
}

const H = 0x48;
const ZERO = 0x30;
const STATUS_AT = 9;
const READ_BYTES = 64 << 10;

/**
 * Answers of one path are alike, so the first one's head is parsed and the others are only counted,
 * which keeps the generator well below the price of any proxy.
 */
class LoadConnection {
  sentAtMs = 0;
  readonly socket: Socket;
  readonly #run: Run;
  /** Start of an answer whose head is not complete yet. */
  #head: Buffer | null = null;
  #status = 0;
  /** Bytes of a whole answer with status 200; 0 = not seen yet. */
  #usualBytes = 0;
  /** Answer bytes still to come; 0 = the next byte starts an answer. */
  #owed = 0;

  constructor(host: string, port: number, run: Run) {
    this.#run = run;
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const onread = { buffer, callback: (count: number) => this.#onBytes(buffer, count) };
    this.socket = connect({ host, port, noDelay: true, onread });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => run.onLost());
    this.socket.once('connect', () => run.onReady(this));
  }

  #onBytes(buffer: Buffer, count: number): boolean {
    if (this.#owed === 0) this.#onStart(buffer.subarray(0, count));
    else this.#owed -= count;
    if (this.#owed < 0) throw new Error('more bytes than the answer has');
    if (this.#owed === 0 && this.#head === null) this.#run.onAnswer(this, this.#status);
    return true;
  }

  #onStart(chunk: Buffer): void {
    const data = this.#head === null ? chunk : Buffer.concat([this.#head, chunk]);
    if (data[0] !== H) throw new Error('answer without a status line');
    if (this.#usualBytes > 0 && data.length > STATUS_AT + 2 && statusOf(data) === 200) {
      this.#head = null;
      this.#status = 200;
      this.#owed = this.#usualBytes - data.length;
      return;
    }
    const end = data.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = Buffer.from(data);
      return;
    }
    this.#head = null;
    this.#status = statusOf(data);
    const bytes = end + HEAD_END.length + bodyBytes(data, end);
    if (this.#status === 200) this.#usualBytes = bytes;
    this.#owed = bytes - data.length;
  }
}

function statusOf(data: Buffer): number {
  const digit = (index: number) => data[STATUS_AT + index]! - ZERO;
  return digit(0) * 100 + digit(1) * 10 + digit(2);
}

function bodyBytes(data: Buffer, end: number): number {
  const length = data.indexOf(LENGTH);
  if (length < 0 || length > end) throw new Error('answer without Content-Length');
  const from = length + LENGTH.length;
  return Number(data.toString('latin1', from, data.indexOf('\r', from)));
}

/** A request as browsers send it: Host and `headerCount` others, some long. */
function requestText(order: LoadOrder): string {
  const headers = [
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
    'Accept-Language: en-GB,en;q=0.5',
    'Accept-Encoding: gzip, deflate, br',
    'Referer: http://hello.default.example.com/previous/page',
    'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
    'Cache-Control: no-cache',
    'Sec-Fetch-Dest: document',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-Site: same-origin',
    // No Traceparent: a sampled parent would have every request traced, whatever the rate.
    `X-Request-Id: ${REQUEST_ID}`,
  ].slice(0, Math.max(0, order.headerCount - 1));
  const { extraHeaders = [] } = order;
  const lines = ['Host: hello.default.example.com', ...headers, ...extraHeaders];
  const query = order.isVaried === true ? `?id=${REQUEST_ID}` : '';
  return `GET ${order.path}${query} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

process.on('message', (order: LoadOrder) => {
  new Run(order, (result) => process.send?.(result));
});
