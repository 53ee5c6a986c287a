// Our codec without sockets: the bytes of a client, or of an application, go in by hand in any cuts,
// and what was forwarded comes out. The whole path of the `net` engine runs: connection, exchange,
// head and body readers, the writers of forwarded messages.

import type { ClientSocket } from '../../src/proxy/client-closing.ts';
import type { ConnectionHost } from '../../src/proxy/connection-host.ts';
import { NO_EDITS } from '../../src/proxy/header-edits.ts';
import { DateLine } from '../../src/proxy/replies.ts';
import { ServerConnection } from '../../src/proxy/server-connection.ts';
import { type Exchange, type ExchangeHandler, Outcome } from '../../src/proxy/types.ts';
import { type AppEnd, AppPool, ClientEnd, SteppingClock, Steps } from './http1-ends.ts';

const LIMITS = { maxHeadBytes: 1024 * 1024, headTimeoutMs: 60_000, readAheadBytes: 64 * 1024 };
/** No success: that would make a CONNECT a tunnel. */
const ANSWER = Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', 'latin1');
/** Reads arrive in one buffer that is used again at once, as on a real upstream socket. */
const READ_BUFFER = Buffer.alloc(64 * 1024);
const SPENT = 0xee;
const PEER = { address: '127.0.0.1', port: 1 };

const steps = new Steps();
const clock = new SteppingClock(steps);
const date = new DateLine(clock);

/** Forwards everything to the ends of `pool`. */
class Forwarder implements ExchangeHandler {
  readonly pool = new AppPool(clock, steps);
  /** One per end of the pool. */
  readonly exchanges: Exchange[] = [];
  failures = 0;
  outcome: Outcome | -1 = -1;
  /** Where the last final head begins in what the client was sent. */
  headAt = 0;
  readonly client: ClientEnd;

  constructor(client: ClientEnd) {
    this.client = client;
  }

  onRequest(exchange: Exchange): void {
    steps.take();
    const before = this.pool.ends.length;
    exchange.forward(this.pool.asUpstream(), NO_EDITS);
    this.exchanges.push(exchange);
    if (this.pool.ends.length > before) return;
    // Cannot be forwarded, which the exchange would say a turn later.
    this.pool.checkout().destroy();
    exchange.cancelForward();
    this.onUpstreamFailure(exchange);
  }

  onResponseHead(): void {
    steps.take();
    this.headAt = this.client.written.length;
  }

  onResponseBytes(): void {
    steps.take();
  }

  onUpstreamFailure(exchange: Exchange): void {
    this.failures += 1;
    exchange.respond(502, '', '');
  }

  onEnd(_exchange: Exchange, outcome: Outcome): void {
    this.outcome = outcome;
  }
}

/** One server connection with its two ends. */
class Bench {
  readonly client = new ClientEnd(steps);
  readonly handler = new Forwarder(this.client);
  rejected = 0;

  constructor() {
    steps.reset();
    const host: ConnectionHost = {
      handler: this.handler,
      limits: LIMITS,
      clock,
      date,
      isDraining: false,
      tick: 0,
      onRejected: () => {
        this.rejected += 1;
      },
      onTunnel: () => undefined,
      onConnectionClosed: () => undefined,
    };
    new ServerConnection(host, this.client as unknown as ClientSocket, PEER);
  }

  /** One read of the client; requests completed by it are answered behind it. */
  read(bytes: Buffer): void {
    if (!this.client.isReset) this.client.emit('data', bytes);
  }

  answerWhole(): void {
    const { pool } = this.handler;
    while (pool.whole !== null) {
      const end: AppEnd = pool.whole;
      pool.whole = null;
      end.answer(ANSWER, ANSWER.length);
    }
  }

  close(): void {
    this.client.emit('close');
  }
}

export interface ForwardedRequest {
  method: string;
  target: string;
  host: string;
  head: string;
  body: string;
  tail: string;
  /** As it went to the application, framing included. */
  framed: string;
  isComplete: boolean;
  /** Given up: the application will not take it for complete. */
  isDropped: boolean;
}

export interface RequestRun {
  requests: ForwardedRequest[];
  /** `OPTIONS *` answered without asking anybody. */
  ownAnswers: number;
  /** Well-formed, but asking for a protocol no text can name. */
  unforwardable: number;
  rejected: number;
  /** The server ended the connection: refused, or closing after the last answer. */
  isClosed: boolean;
  written: string;
}

/** Feeds `bytes` to a fresh connection, one read per entry of `cuts` plus the rest. */
export function runRequests(bytes: Buffer, cuts: readonly number[] = []): RequestRun {
  const bench = new Bench();
  // Chunked bodies are decoded in place.
  const own = Buffer.from(bytes);
  let from = 0;
  for (let index = 0; index <= cuts.length; index += 1) {
    const to = cuts[index] ?? bytes.length;
    if (to > from) bench.read(own.subarray(from, to));
    bench.answerWhole();
    from = to;
  }
  const { exchanges, pool } = bench.handler;
  const answered = pool.ends.filter((end) => end.requestDone).length;
  const run: RequestRun = {
    requests: pool.ends.map((end, index) => forwardedAs(exchanges[index]!, end)),
    ownAnswers: count(bench.client.written, 'HTTP/1.') - answered - bench.handler.failures,
    unforwardable: bench.handler.failures,
    rejected: bench.rejected,
    isClosed: bench.client.isEnded,
    written: bench.client.written,
  };
  if (bench.rejected > 0 && !bench.client.isReset) run.ownAnswers -= 1;
  bench.close();
  return run;
}

function forwardedAs(exchange: Exchange, end: AppEnd): ForwardedRequest {
  return {
    method: exchange.method,
    target: exchange.target,
    host: exchange.host,
    head: end.requestHead,
    body: end.body,
    tail: end.tail,
    framed: end.framed,
    isComplete: end.requestDone,
    isDropped: end.isDropped,
  };
}

function count(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) found += 1;
  return found;
}

/** The request an answer is for. */
export interface AskedFor {
  method: string;
  minorVersion: number;
  /** Value of Upgrade; '' when none was asked for. */
  upgrade: string;
}

export interface AnswerRun {
  outcome: 'relayed' | 'refused' | 'truncated' | 'tunnel';
  /** What the client received. */
  written: string;
  /** Interim heads and the final head in it. */
  heads: string;
  /** Data of the answer. */
  body: string;
  trailers: string;
  /** The application's connection may carry another request. */
  isReusable: boolean;
  /** The client's connection ends with the answer. */
  isClosed: boolean;
  /** It was torn down, so that nobody takes what came for the whole. */
  isReset: boolean;
}

/** Feeds `bytes`, then the end of the connection, as the answer of an application. */
export function runAnswer(bytes: Buffer, asked: AskedFor, cuts: readonly number[] = []): AnswerRun {
  const bench = new Bench();
  bench.read(requestFor(asked));
  const { handler, client } = bench;
  const end = handler.pool.whole;
  if (end === null) throw new Error('the request was not forwarded');
  let from = 0;
  for (let index = 0; index <= cuts.length; index += 1) {
    const to = cuts[index] ?? bytes.length;
    if (to > from) {
      bytes.copy(READ_BUFFER, 0, from, to);
      end.answer(READ_BUFFER, to - from);
      READ_BUFFER.fill(SPENT, 0, to - from);
    }
    from = to;
  }
  const isTunnel = handler.exchanges[0]!.responseStatus === 101;
  end.end();
  const outcome = isTunnel ? 'tunnel' : outcomeOf(handler);
  const run: AnswerRun = {
    outcome,
    written: client.written,
    heads: client.written.slice(0, client.written.indexOf('\r\n\r\n', handler.headAt) + 4),
    body: end.answerBody,
    trailers: end.answerTrailers,
    isReusable: end.isReusable,
    isClosed: client.isEnded,
    isReset: client.isReset,
  };
  bench.close();
  return run;
}

function outcomeOf(handler: Forwarder): AnswerRun['outcome'] {
  if (handler.failures > 0) return 'refused';
  return handler.outcome === Outcome.COMPLETE ? 'relayed' : 'truncated';
}

const requestTexts = new Map<string, Buffer>();

function requestFor({ method, minorVersion, upgrade }: AskedFor): Buffer {
  const key = `${method} ${minorVersion} ${upgrade}`;
  let text = requestTexts.get(key);
  if (text === undefined) {
    const wish = upgrade === '' ? '' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
    const line = `${method} ${method === 'CONNECT' ? 'h:1' : '/'} HTTP/1.${minorVersion}\r\n`;
    text = Buffer.from(`${line}Host: h\r\n${wish}\r\n`, 'latin1');
    requestTexts.set(key, text);
  }
  return text;
}
