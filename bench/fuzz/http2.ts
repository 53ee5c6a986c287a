// The HTTP/2 fuzzer: generated and mutated frame streams, read by our server connection whole and cut
// at many places. What it makes of them must be the same however they are cut; what it sends must be
// frames that obey RFC 9113; every request that begins must end; and what it writes must stay in
// proportion to what it read. A run stops at the first violation and gives the smallest stream.

import { FakeClock } from '../../src/clock/fake-clock.ts';
import { Http2Connection } from '../../src/proxy/h2/connection.ts';
import type { Http2Host } from '../../src/proxy/h2/host.ts';
import { NO_EDITS } from '../../src/proxy/header-edits.ts';
import type { Exchange, ExchangeHandler } from '../../src/proxy/types.ts';
import { Outcome } from '../../src/proxy/types.ts';
import type { Violation } from './findings.ts';
import { generateFrames, joined, mutate } from './http2-messages.ts';
import { EchoPool, FakeSocket } from './http2-socket.ts';
import { Transcript } from './http2-transcript.ts';
import { int, type Random, seededRandom } from './random.ts';

const MUTANTS_PER_STREAM = 10;
const CUTS_PER_MUTANT = 4;
/** A reset costs 13 bytes for 9, an answer some 60 for about as many. */
const MAX_GROWTH = 40;
const PEER = { address: '192.0.2.1', port: 1 };

export interface Http2FuzzReport {
  cases: number;
  /** Readings, cut or whole. */
  runs: number;
  /** Requests that reached a role, in whole readings. */
  requests: number;
  /** Whole readings that ended without an error of the connection. */
  clean: number;
  failure: { violation: Violation; found: Buffer; smallest: Buffer } | null;
}

export interface Http2FuzzOptions {
  seed: number;
  /** Asked before every generated stream. */
  mayGoOn(cases: number): boolean;
  /** Told of every stream before it is read. */
  onCase?(bytes: Buffer): void;
}

export async function fuzzHttp2(options: Http2FuzzOptions): Promise<Http2FuzzReport> {
  const random = seededRandom(options.seed);
  const report: Http2FuzzReport = { cases: 0, runs: 0, requests: 0, clean: 0, failure: null };
  while (report.failure === null && options.mayGoOn(report.cases)) {
    const frames = generateFrames(random);
    const whole = joined(frames);
    await runCase(whole, everyCut(random, whole.length), options, report);
    for (let left = MUTANTS_PER_STREAM; left > 0 && report.failure === null; left -= 1) {
      const mutant = mutate(random, frames);
      await runCase(mutant, someCuts(random, mutant.length, CUTS_PER_MUTANT), options, report);
    }
  }
  return report;
}

/** Every position for short streams, many for long ones: each costs a whole reading. */
function everyCut(random: Random, length: number): readonly number[] {
  if (length > 300) return someCuts(random, length, 100);
  return Array.from({ length: length - 1 }, (_, index) => index + 1);
}

function someCuts(random: Random, length: number, count: number): readonly number[] {
  return Array.from({ length: count }, () => 1 + int(random, Math.max(1, length - 1)));
}

async function runCase(
  bytes: Buffer,
  cuts: readonly number[],
  options: Http2FuzzOptions,
  report: Http2FuzzReport,
): Promise<void> {
  options.onCase?.(bytes);
  report.cases += 1;
  report.runs += cuts.length + 2;
  const violation = await judge(bytes, cuts, report);
  if (violation === null) return;
  const smallest = await smaller(bytes, cuts, violation.kind, options);
  report.failure = { violation, found: bytes, smallest };
}

/** Ends of the stream go while it still fails: a cheap way to what matters. */
async function smaller(
  bytes: Buffer,
  cuts: readonly number[],
  kind: string,
  options: Http2FuzzOptions,
): Promise<Buffer> {
  let best = bytes;
  for (let size = bytes.length >> 1; size >= 1; size >>= 1) {
    while (best.length > size) {
      const candidate = best.subarray(0, best.length - size);
      options.onCase?.(candidate);
      const again = await judge(candidate, cuts, null);
      if (again?.kind !== kind) break;
      best = candidate;
    }
  }
  return best;
}

async function judge(
  bytes: Buffer,
  cuts: readonly number[],
  report: Http2FuzzReport | null,
): Promise<Violation | null> {
  try {
    const whole = await read([bytes]);
    if (report !== null) {
      report.requests += whole.requests;
      if (whole.isClean) report.clean += 1;
    }
    const problem = whole.transcript.problem ?? whole.problem;
    if (problem !== null) return { kind: 'rule', detail: problem };
    const expected = whole.transcript.summary;
    const single = Array.from(bytes, (byte) => Buffer.of(byte));
    for (const pieces of [
      single,
      ...cuts.map((at) => [bytes.subarray(0, at), bytes.subarray(at)]),
    ]) {
      const other = await read(pieces);
      const got = other.transcript.summary;
      if (got !== expected) {
        const how = pieces === single ? 'byte by byte' : `cut at ${pieces[0]!.length}`;
        return { kind: 'cut', detail: `${how}: ${got}\nwhole: ${expected}` };
      }
    }
    return null;
  } catch (error) {
    return { kind: 'crash', detail: error instanceof Error ? (error.stack ?? '') : String(error) };
  }
}

interface Reading {
  readonly transcript: Transcript;
  readonly requests: number;
  readonly isClean: boolean;
  /** What our side got wrong beside its frames. */
  readonly problem: string | null;
}

/** A connection from its first byte to its close. */
async function read(pieces: readonly Buffer[]): Promise<Reading> {
  const clock = new FakeClock();
  const handler = new FuzzHandler(clock);
  const host = new FuzzHost(handler, clock);
  const socket = new FakeSocket();
  const connection = new Http2Connection(host, socket.asSocket, PEER);
  connection.start();
  for (const piece of pieces) socket.emit('data', piece);
  // Answers of the application, then what was written.
  await new Promise((resolve) => setImmediate(resolve));
  connection.outlet.flush();
  const isClean = !connection.isOver;
  socket.destroy();
  const transcript = new Transcript(Buffer.concat(socket.written), handler.log);
  const inputBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return {
    transcript,
    requests: handler.begun,
    isClean,
    problem: problemOf(handler, host, socket.writtenBytes, inputBytes),
  };
}

function problemOf(
  handler: FuzzHandler,
  host: FuzzHost,
  outputBytes: number,
  inputBytes: number,
): string | null {
  if (handler.begun !== handler.ended) return `${handler.begun} began, ${handler.ended} ended`;
  if (host.closed !== 1) return `closed ${host.closed} times`;
  if (outputBytes > MAX_GROWTH * inputBytes + 1_000)
    return `${outputBytes} bytes for ${inputBytes}`;
  return null;
}

class FuzzHost implements Http2Host {
  readonly date = 'Thu, 01 Jan 1970 00:00:00 GMT';
  readonly headTimeoutMs = 1_000;
  readonly isSecure = false;
  closed = 0;
  readonly handler: ExchangeHandler;
  readonly clock: FakeClock;

  constructor(handler: ExchangeHandler, clock: FakeClock) {
    this.handler = handler;
    this.clock = clock;
  }

  onRejected(): void {
    // Counted elsewhere.
  }

  onFlood(): void {
    // A GOAWAY says so.
  }

  onClosed(): void {
    this.closed += 1;
  }
}

/** `/hold` waits for ever, `/echo` is sent back, everything else answered at once. */
class FuzzHandler implements ExchangeHandler {
  begun = 0;
  ended = 0;
  readonly log: string[] = [];
  readonly #pool: EchoPool;

  constructor(clock: FakeClock) {
    this.#pool = new EchoPool(clock);
  }

  onRequest(exchange: Exchange): void {
    this.begun += 1;
    exchange.context = this.begun;
    const fields = [...exchange.headers()].map((pair) => pair.join('='));
    const { method, target, host, contentLength } = exchange;
    this.log.push(`request ${method} ${target} ${host} ${contentLength} ${fields.join('&')}`);
    if (target === '/hold') return;
    if (target === '/echo') exchange.forward(this.#pool, NO_EDITS);
    else exchange.respond(200, 'X-Fuzz: yes\r\n', 'ok');
  }

  onResponseHead(): void {
    // Its frames show it.
  }

  onResponseBytes(): void {
    // See above.
  }

  onUpstreamFailure(exchange: Exchange): void {
    exchange.respond(502, '', 'failed');
  }

  onEnd(exchange: Exchange, outcome: Outcome): void {
    this.ended += 1;
    const bytes = outcome === Outcome.COMPLETE ? exchange.requestBytes : -1;
    this.log.push(`end ${String(exchange.context)} ${outcome} ${bytes}`);
  }
}
