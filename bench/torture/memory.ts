// Bodies of gigabytes, at full speed and against a reader or an application that takes 1 MB/s: the
// sidecar may hold only what its limits name (QP-78), so its memory stays within 48 MB of idle and
// does not rise with time. Both directions, both framings, one sidecar for all of it.

import type { Socket } from 'node:net';
import { memoryMb } from '../support/processes.ts';
import { MemorySamples } from './memory-samples.ts';
import {
  type Framing,
  framingHeader,
  gulp,
  LAST_CHUNK,
  openClient,
  pour,
  readHead,
  Sip,
  startRawApp,
} from './raw-http.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';

const MIB = 1024 * 1024;
const MAX_GROWTH_MB = 48;
/** By how much the heap's breathing may lift the trend of the second half of a slow run. */
const MAX_RISE_MB = 4;
/** Shorter runs say nothing about a slope. */
const MIN_SLOPE_SECONDS = 30;
const SLOW_BYTES_PER_SECOND = 1_000_000;
/** More than any slow run can move. */
const ENDLESS_BYTES = 64 * 1024 * MIB;
const SECONDS_PER_MINUTE = 60;
const FRAMINGS: readonly Framing[] = ['length', 'chunked'];

interface Sizes {
  readonly bytes: number;
  readonly slowSeconds: number;
}

/** `sips` has the slow ends, to be looked at and stopped. */
interface Run {
  readonly sidecar: Sidecar;
  readonly sips: Sip[];
}

export const memory: TortureScenario = { name: 'memory', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const sizes: Sizes = options.brief
    ? { bytes: 128 * MIB, slowSeconds: options.seconds ?? 2 }
    : { bytes: 2048 * MIB, slowSeconds: options.seconds ?? 60 };
  const sips: Sip[] = [];
  const app = await startRawApp((socket, head, rest) => void serve(socket, head, rest, sips));
  const sidecar = await startSidecar({ appPort: app.port, containerConcurrency: 0 }, options);
  try {
    await download({ sidecar, sips }, 'length', 64 * 1024);
    const idleMb = memoryMb(sidecar.pid).rssMb;
    const rows: TortureRow[] = [];
    for (const framing of FRAMINGS) {
      for (const transfer of [download, upload]) {
        const name = `${transfer.name}-${framing}`;
        options.say(`${name}: ${sizes.bytes / MIB} MiB at full speed`);
        const start = (): Promise<number> => transfer({ sidecar, sips }, framing, sizes.bytes);
        rows.push(await measured(name, sidecar, idleMb, { wanted: sizes.bytes, start }));
      }
    }
    options.say(`slow readers for ${sizes.slowSeconds} s`);
    rows.push(await slowly('slow-reader', { sidecar, sips }, idleMb, sizes, slowReader));
    options.say(`slow application for ${sizes.slowSeconds} s`);
    rows.push(await slowly('slow-app', { sidecar, sips }, idleMb, sizes, slowApp));
    return rows;
  } finally {
    for (const sip of sips) sip.stop();
    app.close();
    await sidecar.stop();
  }
}

/** The application: `/download/<framing>/<bytes>`, `/upload/<framing>/<bytes>`, `/sip`. */
async function serve(socket: Socket, head: string, rest: Buffer, sips: Sip[]): Promise<void> {
  const [, action, framing, bytes] = head.split(' ')[1]!.split('/');
  if (action === 'sip') {
    sips.push(new Sip(socket, SLOW_BYTES_PER_SECOND));
    return;
  }
  const size = Number(bytes);
  if (action === 'download') {
    socket.resume();
    const lines = ['HTTP/1.1 200 OK', 'Connection: close', framingHeader(framing as Framing, size)];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    await pour(socket, framing as Framing, size);
    socket.end();
    return;
  }
  let received = rest.length;
  if (!endsBody(framing as Framing, size, received, rest)) {
    received += await gulp(socket, (total, last) =>
      endsBody(framing as Framing, size, rest.length + total, last),
    );
  }
  socket.write(
    `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\nX-Got: ${received}\r\n\r\n`,
  );
}

/** Chunked bodies carry framing, so their end is told by the last chunk. */
function endsBody(framing: Framing, size: number, total: number, last: Buffer): boolean {
  if (framing === 'length') return total >= size;
  return total >= size && last.subarray(-LAST_CHUNK.length).toString('latin1') === LAST_CHUNK;
}

/** Resolves to the bytes moved; fewer than `bytes` mean a broken transfer. */
async function download({ sidecar }: Run, framing: Framing, bytes: number): Promise<number> {
  const client = await openClient(sidecar.port);
  client.write(request('GET', `/download/${framing}/${bytes}`, 'Connection: close'));
  const { rest } = await readHead(client);
  return rest.length + (await gulp(client, () => false));
}

async function upload({ sidecar }: Run, framing: Framing, bytes: number): Promise<number> {
  const client = await openClient(sidecar.port);
  const lines = [framingHeader(framing, bytes), 'Connection: close'];
  client.write(request('POST', `/upload/${framing}/${bytes}`, ...lines));
  const answered = readHead(client);
  await pour(client, framing, bytes);
  const { head } = await answered;
  client.destroy();
  return Number(/^x-got: (\d+)/im.exec(head)?.[1] ?? 0);
}

async function slowReader(run: Run, framing: Framing): Promise<Socket> {
  const client = await openClient(run.sidecar.port);
  client.write(request('GET', `/download/${framing}/${ENDLESS_BYTES}`));
  await readHead(client);
  run.sips.push(new Sip(client, SLOW_BYTES_PER_SECOND));
  return client;
}

async function slowApp(run: Run, framing: Framing): Promise<Socket> {
  const client = await openClient(run.sidecar.port);
  client.write(request('POST', '/sip', framingHeader(framing, ENDLESS_BYTES)));
  void pour(client, framing, ENDLESS_BYTES);
  return client;
}

function request(method: string, path: string, ...lines: string[]): string {
  return `${[`${method} ${path} HTTP/1.1`, 'Host: torture', ...lines].join('\r\n')}\r\n\r\n`;
}

async function measured(
  name: string,
  sidecar: Sidecar,
  idleMb: number,
  transfer: { wanted: number; start: () => Promise<number> },
): Promise<TortureRow> {
  const samples = new MemorySamples(sidecar.pid);
  const startMs = performance.now();
  const moved = await transfer.start();
  const seconds = (performance.now() - startMs) / 1000;
  samples.stop();
  const growthMb = samples.maxMb - idleMb;
  return {
    name,
    ok: moved >= transfer.wanted && growthMb <= MAX_GROWTH_MB,
    movedMib: round(moved / MIB),
    mibPerSecond: round(moved / MIB / seconds),
    idleRssMb: round(idleMb),
    growthMb: round(growthMb),
  };
}

/** One connection per framing at once; both ends stay open to the end. */
async function slowly(
  name: string,
  run: Run,
  idleMb: number,
  { slowSeconds }: Sizes,
  open: (run: Run, framing: Framing) => Promise<Socket>,
): Promise<TortureRow> {
  const before = run.sips.length;
  const samples = new MemorySamples(run.sidecar.pid);
  const clients = await Promise.all(FRAMINGS.map((framing) => open(run, framing)));
  await new Promise((resolve) => setTimeout(resolve, slowSeconds * 1000));
  samples.stop();
  const sips = run.sips.slice(before);
  for (const sip of sips) sip.stop();
  for (const client of clients) client.destroy();
  const movedMib = sips.reduce((sum, sip) => sum + sip.total, 0) / MIB;
  const growthMb = samples.maxMb - idleMb;
  const slope = slowSeconds >= MIN_SLOPE_SECONDS ? samples.slopeMbPerMinute : null;
  return {
    name,
    ok:
      growthMb <= MAX_GROWTH_MB &&
      sips.length === FRAMINGS.length &&
      movedMib > 0 &&
      (slope === null || (slope * slowSeconds) / 2 / SECONDS_PER_MINUTE <= MAX_RISE_MB),
    seconds: slowSeconds,
    movedMib: round(movedMib),
    growthMb: round(growthMb),
    slopeMbPerMinute: slope === null ? null : round(slope),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
