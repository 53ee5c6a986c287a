// Profiling on 8008 (QP-166): GET only, paths as Go's net/http/pprof has them, so that `go tool
// pprof http://pod:8008/debug/pprof/profile` works. CPU and heap are real, from V8's own profilers;
// the execution trace of Go has no counterpart and says so. Loaded only when profiling is enabled.
// Invariant: one profile at a time, because V8's profiler is one per process.

import { Session } from 'node:inspector';
import type { Clock } from '../clock/clock.ts';
import { answerError, answerErrorText } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import { encodeCpuProfile, encodeHeapProfile } from './pprof-encoder.ts';
import type { Exchange, ExchangeHandler } from './types.ts';

const ROOT = '/debug/pprof/';
const DEFAULT_SECONDS = 30;
/** Longest profile; a longer one is refused, as its samples would fill the memory. */
const MAX_PROFILE_SECONDS = 300;
const TEXT = 'Content-Type: text/plain; charset=utf-8\r\n';
const HTML = 'Content-Type: text/html; charset=utf-8\r\n';
const INDEX = `<html><head><title>${ROOT}</title></head><body>
<p>Profiles of this process, in pprof format:</p><ul>
<li><a href="profile?seconds=10">profile</a>: CPU; <code>seconds</code> says how long</li>
<li><a href="heap?seconds=10">heap</a>: allocations of that time that are still alive</li>
<li><a href="cmdline">cmdline</a>: command line of the process</li>
<li><a href="symbol">symbol</a>: profiles carry their symbols, there is nothing to look up</li>
</ul></body></html>
`;

export function profilingEndpoint(clock: Clock): ExchangeHandler {
  return new ProfilingEndpoint(clock);
}

class ProfilingEndpoint implements ExchangeHandler {
  readonly #clock: Clock;
  #isBusy = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onRequest(exchange: Exchange): void {
    const [path = '', query = ''] = exchange.target.split('?', 2);
    if (exchange.method !== 'GET') {
      answerError(exchange, ERRORS.METHOD_NOT_ALLOWED, 'Allow: GET\r\n');
      return;
    }
    switch (path) {
      case ROOT:
        exchange.respond(200, HTML, INDEX);
        return;
      case `${ROOT}cmdline`:
        exchange.respond(200, TEXT, [process.execPath, ...process.argv.slice(1)].join('\0'));
        return;
      case `${ROOT}symbol`:
        exchange.respond(200, TEXT, 'num_symbols: 0\n');
        return;
      case `${ROOT}profile`:
      case `${ROOT}heap`:
        void this.#profile(exchange, path.slice(ROOT.length), new URLSearchParams(query));
        return;
      case `${ROOT}trace`:
        answerError(exchange, ERRORS.PROFILE_UNAVAILABLE);
        return;
      default:
        answerError(exchange, ERRORS.PATH_NOT_FOUND);
    }
  }

  onResponseHead(): void {
    // Nothing is counted here.
  }

  onResponseBytes(): void {
    // Nothing is counted here.
  }

  onUpstreamFailure(): void {
    throw new Error('profiling never forwards');
  }

  onEnd(): void {
    // A client that left changes nothing: the profile ends when its time is over.
  }

  async #profile(exchange: Exchange, kind: string, query: URLSearchParams): Promise<void> {
    const seconds = Number(query.get('seconds') ?? DEFAULT_SECONDS);
    if (!(seconds > 0 && seconds <= MAX_PROFILE_SECONDS)) {
      const bounds = `seconds must be above 0 and at most ${MAX_PROFILE_SECONDS}`;
      answerErrorText(exchange, ERRORS.PROFILE_REFUSED, bounds);
      return;
    }
    if (this.#isBusy) {
      answerError(exchange, ERRORS.PROFILE_REFUSED);
      return;
    }
    this.#isBusy = true;
    try {
      const bytes = kind === 'heap' ? await this.#heap(seconds) : await this.#cpu(seconds);
      if (exchange.ended) return;
      const name = `Content-Disposition: attachment; filename="${kind}"\r\n`;
      exchange.respond(200, `Content-Type: application/octet-stream\r\n${name}`, bytes);
    } catch (error) {
      if (exchange.ended) return;
      answerErrorText(exchange, ERRORS.PROFILE_UNAVAILABLE, String(error));
    } finally {
      this.#isBusy = false;
    }
  }

  async #cpu(seconds: number): Promise<Buffer> {
    const startMs = this.#clock.nowMs();
    return withSession(async (session) => {
      await call(session, 'Profiler.enable');
      await call(session, 'Profiler.start');
      await this.#clock.sleep(seconds * 1000);
      const { profile } = await stopCpu(session);
      return encodeCpuProfile(profile, startMs);
    });
  }

  async #heap(seconds: number): Promise<Buffer> {
    const startMs = this.#clock.nowMs();
    return withSession(async (session) => {
      await call(session, 'HeapProfiler.startSampling');
      await this.#clock.sleep(seconds * 1000);
      const { profile } = await stopHeap(session);
      return encodeHeapProfile(profile, startMs);
    });
  }
}

async function withSession(work: (session: Session) => Promise<Buffer>): Promise<Buffer> {
  const session = new Session();
  session.connect();
  try {
    return await work(session);
  } finally {
    session.disconnect();
  }
}

function call(
  session: Session,
  method: 'Profiler.enable' | 'Profiler.start' | 'HeapProfiler.startSampling',
): Promise<void> {
  return new Promise((resolve, reject) => {
    session.post(method, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}

function stopCpu(session: Session): Promise<import('node:inspector').Profiler.StopReturnType> {
  return new Promise((resolve, reject) => {
    session.post('Profiler.stop', (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
}

type HeapResult = import('node:inspector').HeapProfiler.StopSamplingReturnType;

function stopHeap(session: Session): Promise<HeapResult> {
  return new Promise((resolve, reject) => {
    session.post('HeapProfiler.stopSampling', (error, result) =>
      error === null ? resolve(result) : reject(error),
    );
  });
}
