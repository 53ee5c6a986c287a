// Our codec without sockets: the bytes of a client (or an application) go in by hand, in any cuts,
// and what was read and forwarded comes out. The counterpart of llhttp-oracle.

import { EventEmitter } from 'node:events';
import { FakeClock } from '../../clock/fake-clock.ts';
import { AnswerReader, type AnswerSink } from '../answer-reader.ts';
import type { ClientSocket } from '../client-closing.ts';
import type { ConnectionHost } from '../connection-host.ts';
import { NO_EDITS } from '../header-edits.ts';
import { DateLine } from '../replies.ts';
import { ServerConnection } from '../server-connection.ts';
import type { Exchange, ExchangeHandler } from '../types.ts';
import type { UpstreamCaller, UpstreamConnection } from '../upstream-connection.ts';
import { UpstreamPool } from '../upstream-pools.ts';
import { LIMITS, UPSTREAM_OPTIONS } from './harness.ts';

/**
 * The few things a server connection asks of a socket; a Duplex costs ten times as much to make.
 */
class ClientStream extends EventEmitter {
  readonly writableLength = 0;
  readonly writableHighWaterMark = 16_384;
  written = '';
  isEnded = false;

  write(chunk: string | Uint8Array): boolean {
    this.written += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
    return true;
  }

  end(): void {
    this.isEnded = true;
  }

  destroy(): void {
    this.isEnded = true;
  }

  pause(): void {
    throw new Error('these messages are too short to pause for');
  }
}

/** Takes requests and lets each be answered as soon as it is whole. */
class CapturePool extends UpstreamPool {
  readonly forwarded: Buffer[] = [];
  exchange: Exchange | null = null;

  constructor(clock: FakeClock) {
    super('127.0.0.1', 1, UPSTREAM_OPTIONS, { clock, random: () => 0 });
  }

  override checkout(): UpstreamConnection {
    const pieces: Buffer[] = [];
    const finish = (): void => {
      this.forwarded.push(Buffer.concat(pieces));
      this.exchange?.respond(200, '', '');
    };
    const connection = {
      isCongested: false,
      isReused: false,
      requestDone: false,
      begin: (_caller: UpstreamCaller) => undefined,
      destroy: () => undefined,
      write(
        lead: string,
        buffer: Buffer,
        start: number,
        end: number,
        isChunked: boolean,
        tail: string,
      ): void {
        const size = end - start;
        const isChunk = isChunked && size > 0;
        pieces.push(Buffer.from(`${lead}${isChunk ? `${size.toString(16)}\r\n` : ''}`, 'latin1'));
        pieces.push(Buffer.from(buffer.subarray(start, end)));
        pieces.push(Buffer.from(`${isChunk ? '\r\n' : ''}${tail}`, 'latin1'));
        if (connection.requestDone) finish();
      },
    };
    return connection as unknown as UpstreamConnection;
  }
}

export interface OurRequests {
  requests: { method: string; target: string; bodyBytes: number }[];
  /** The bytes sent to the application for each of `requests`. */
  forwarded: string[];
  /** `OPTIONS *` answered without asking anybody. */
  ownAnswers: number;
  /** The connection was ended by us: refused, or closing after the last answer. */
  isClosed: boolean;
  isRefused: boolean;
}

const clock = new FakeClock();

/** Feeds `bytes` to a fresh server connection, one read per entry of `cuts` plus the rest. */
export function readWithOurs(bytes: Buffer, cuts: readonly number[] = []): OurRequests {
  const result: OurRequests['requests'] = [];
  const pool = new CapturePool(clock);
  const whole = new Set<Exchange>();
  const handler: ExchangeHandler = {
    onRequest(exchange) {
      pool.exchange = exchange;
      exchange.forward(pool, NO_EDITS);
    },
    onResponseHead(exchange) {
      whole.add(exchange);
      const { method, target, requestBytes } = exchange;
      result.push({ method, target, bodyBytes: requestBytes });
    },
    onResponseBytes: () => undefined,
    onUpstreamFailure: () => undefined,
    onEnd: () => undefined,
  };
  const host: ConnectionHost = {
    handler,
    limits: LIMITS,
    clock,
    date: new DateLine(clock),
    isDraining: false,
    tick: 0,
    onRejected: () => undefined,
    onTunnel: () => undefined,
    onConnectionClosed: () => undefined,
  };
  const stream = new ClientStream();
  new ServerConnection(host, stream as unknown as ClientSocket, { address: '127.0.0.1', port: 1 });
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut > from) stream.emit('data', Buffer.from(bytes.subarray(from, cut)));
    from = cut;
  }
  const answers = stream.written.split('HTTP/1.').length - 1;
  const isRefused = /HTTP\/1\.1 (400|431|505) /.test(stream.written);
  return {
    requests: result,
    forwarded: pool.forwarded.map((message) => message.toString('latin1')),
    ownAnswers: answers - result.length - (isRefused ? 1 : 0),
    isClosed: stream.isEnded,
    isRefused,
  };
}

export interface OurResponse {
  interim: number[];
  status: number;
  headers: string[];
  body: string;
  trailers: string;
  outcome: 'complete' | 'truncated' | 'malformed' | 'switched';
}

/** Feeds `bytes`, then the end of the connection, to a fresh answer reader. */
export function readAnswerWithOurs(
  bytes: Buffer,
  method: string,
  cuts: readonly number[] = [],
): OurResponse {
  const seen: OurResponse = {
    interim: [],
    status: 0,
    headers: [],
    body: '',
    trailers: '',
    outcome: 'truncated',
  };
  const sink: AnswerSink = {
    onAnswerInterim: () => {
      seen.interim.push(reader.head.status);
    },
    onAnswerHead: () => {
      const fields = reader.head.fields;
      seen.status = reader.head.status;
      for (let index = 0; index < fields.count; index += 1) {
        seen.headers.push(fields.nameAt(index), fields.valueAt(index));
      }
      if (seen.status !== 101) return;
      seen.outcome = 'switched';
      reader.stop();
    },
    onAnswerData: (buffer, start, end, isLast) => {
      seen.body += buffer.toString('latin1', start, end);
      if (!isLast) return;
      seen.outcome = 'complete';
      seen.trailers = reader.trailers;
    },
    onAnswerMalformed: () => {
      seen.outcome = 'malformed';
    },
  };
  const reader = new AnswerReader(sink);
  reader.begin(method);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const piece = Buffer.from(bytes.subarray(from, cut));
    if (piece.length > 0) reader.read(piece, piece.length);
    from = cut;
  }
  reader.end();
  return seen;
}
