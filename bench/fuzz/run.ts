// `npm run fuzz -- http1|http2 [--seconds N] [--cases N] [--seed N]`: fuzzes our HTTP/1.1 codec against
// llhttp, or our HTTP/2 server against itself and the RFC. The fuzzer runs in a worker thread; this
// thread watches that it gets on, by the processor time one case takes, so a codec that never returns
// is found, too. Exits with 1 and the smallest failing message when something is wrong.

import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { systemClock } from '../../src/clock/clock.ts';
import { shown, type Tally } from './findings.ts';
import { describeCase, type FuzzReport, fuzzHttp1 } from './http1.ts';
import { fuzzHttp2, type Http2FuzzReport } from './http2.ts';
import { MAX_HTTP2_BYTES } from './http2-messages.ts';
import { MAX_CASE_BYTES } from './mutate.ts';

const DEFAULT_SECONDS = 60;
const MAX_SEED = 4_294_967_295;
const EXIT_USAGE = 2;
const WATCH_PERIOD_MS = 250;
/** Processor time of this process during one case; a case takes a few milliseconds. */
const MAX_CASE_CPU_MS = 5_000;
/** Cells shared with the worker: cases begun, and the length of the current one. */
const CASES = 0;
const LENGTH = 1;
const CELL_BYTES = 8;

const TARGETS = ['http1', 'http2'] as const;
type FuzzTarget = (typeof TARGETS)[number];

interface Orders {
  target: FuzzTarget;
  seed: number;
  seconds: number;
  maxCases: number;
  shared: SharedArrayBuffer;
}

/** The worker's side: fuzz, leaving the current message where the watcher finds it. */
async function work({ target, seed, seconds, maxCases, shared }: Orders): Promise<boolean> {
  const cells = new Int32Array(shared, 0, 2);
  const current = new Uint8Array(shared, CELL_BYTES);
  const startMs = systemClock.monotonicMs();
  const mayGoOn = (cases: number): boolean =>
    cases < maxCases && systemClock.monotonicMs() - startMs < seconds * 1_000;
  const onBytes = (bytes: Uint8Array): void => {
    current.set(bytes);
    Atomics.store(cells, LENGTH, bytes.length);
    Atomics.add(cells, CASES, 1);
  };
  if (target === 'http2') {
    const report = await fuzzHttp2({ seed, mayGoOn, onCase: onBytes });
    printHttp2(report, seed, systemClock.monotonicMs() - startMs);
    return report.failure === null;
  }
  const report = fuzzHttp1({ seed, mayGoOn, onCase: ({ bytes }) => onBytes(bytes) });
  print(report, seed, systemClock.monotonicMs() - startMs);
  return report.failure === null;
}

/** Resolves with whether all was well. */
function superintend(orders: Orders): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: orders });
    const cells = new Int32Array(orders.shared, 0, 2);
    let seen = -1;
    let sinceCpuMs = 0;
    const watch = systemClock.setTicker(WATCH_PERIOD_MS, () => {
      const cpu = process.cpuUsage();
      const cpuMs = (cpu.user + cpu.system) / 1_000;
      const cases = Atomics.load(cells, CASES);
      if (cases !== seen) {
        seen = cases;
        sinceCpuMs = cpuMs;
      } else if (cases > 0 && cpuMs - sinceCpuMs > MAX_CASE_CPU_MS) {
        watch.cancel();
        void worker.terminate();
        const length = Atomics.load(cells, LENGTH);
        const message = Buffer.from(new Uint8Array(orders.shared, CELL_BYTES, length));
        console.log(
          `${orders.target}: FAILED (hang) seed ${orders.seed}, case ${cases}: ${shown(message)}`,
        );
        resolve(false);
      }
    });
    worker.once('message', (isGood: boolean) => {
      watch.cancel();
      resolve(isGood);
    });
    worker.once('error', (error) => {
      watch.cancel();
      reject(error);
    });
  });
}

function printTally(title: string, tally: Tally): void {
  console.log(`\n${title}: ${tally.total}`);
  for (const [category, { count, example }] of tally.sorted()) {
    console.log(`${String(count).padStart(9)}  ${category}\n${' '.repeat(11)}${example}`);
  }
}

function print(report: FuzzReport, seed: number, tookMs: number): void {
  const { requests, answers, cases, runs, failure } = report;
  printTally('requests we refuse and llhttp reads', requests.stricter);
  printTally('requests we pass on and llhttp refuses', requests.laxer);
  printTally('answers we refuse and llhttp reads', answers.stricter);
  printTally('answers we pass on and llhttp refuses', answers.laxer);
  const perSecond = Math.round((cases * 1_000) / tookMs);
  console.log(`\nseed ${seed}: ${cases} cases, ${perSecond} cases/s, ${runs} readings`);
  console.log(`read alike: ${requests.alike} requests, ${answers.alike} answers`);
  if (failure === null) {
    console.log('http1: no difference in framing, no crash, no hang');
    return;
  }
  console.log(`found as ${describeCase(failure.found)}`);
  console.log(`smallest ${describeCase({ bytes: failure.smallest, asked: failure.found.asked })}`);
  console.log(`http1: FAILED (${failure.violation.kind}) ${failure.violation.detail}`);
}

function printHttp2(report: Http2FuzzReport, seed: number, tookMs: number): void {
  const { cases, runs, requests, clean, failure } = report;
  const perSecond = Math.round((cases * 1_000) / tookMs);
  console.log(`seed ${seed}: ${cases} cases, ${perSecond} cases/s, ${runs} readings`);
  console.log(`${requests} requests reached a role, ${clean} connections ended without an error`);
  if (failure === null) {
    console.log('http2: the same however it is cut, no crash, no hang');
    return;
  }
  console.log(`found as ${shown(failure.found)}`);
  console.log(`smallest ${shown(failure.smallest)}`);
  console.log(`http2: FAILED (${failure.violation.kind}) ${failure.violation.detail}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: `${DEFAULT_SECONDS}` },
      cases: { type: 'string', default: 'Infinity' },
      seed: { type: 'string', default: `${process.pid * systemClock.nowMs()}` },
    },
  });
  const [seed, seconds, maxCases] = [values.seed, values.seconds, values.cases].map(Number);
  const target = TARGETS.find((name) => name === positionals.join());
  if (target === undefined || !(seed! >= 0 && seconds! > 0 && maxCases! > 0)) {
    console.error('fuzz http1|http2 [--seconds N] [--cases N] [--seed N]');
    return EXIT_USAGE;
  }
  const orders: Orders = {
    target,
    seed: seed! % (MAX_SEED + 1),
    seconds: seconds!,
    maxCases: maxCases!,
    shared: new SharedArrayBuffer(CELL_BYTES + Math.max(MAX_CASE_BYTES, MAX_HTTP2_BYTES)),
  };
  console.log(`${target}: seed ${orders.seed}, ${orders.seconds} s`);
  return (await superintend(orders)) ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else parentPort?.postMessage(await work(workerData as Orders));
