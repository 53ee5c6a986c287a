// Clients that stop in the middle: a long pause inside an upload, a long wait in the gate with the
// body still unread, and clients that leave while they wait. Nobody may be cut for being slow
// (facts of `uws`: its own timer cuts bodies after ten seconds unless re-armed), and on `net` a
// place in the queue is free again within a second of its client's leaving, unread body or not
// (QP-29, QP-172).

import type { Socket } from 'node:net';
import { startHoldingApp } from './holding-app.ts';
import { type Framing, framingHeader, openClient, pour, readHead } from './raw-http.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';

const KIB = 1024;
const BODY_BYTES = 1024 * KIB;
const MAX_NOTICE_MS = 1_000;
/** A brief run only wants to see that it happens: it shares its machine with other tests. */
const MAX_NOTICE_BRIEF_MS = 5_000;
/** Waiting requests of a gate of one (QP-26). */
const QUEUE_DEPTH = 10;
/** A place is free if a request is not refused within this long. */
const REFUSAL_MS = 50;
/** Where noticing is not asked for, this much waiting shows whether it happens all the same. */
const GIVE_UP_MS = 6_000;

interface Lengths {
  readonly uploadPauseMs: number;
  readonly gateWaitMs: number;
}

type Leave = 'close' | 'reset';

export const pauses: TortureScenario = { name: 'pauses', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const lengths: Lengths = options.brief
    ? { uploadPauseMs: 1_500, gateWaitMs: 1_500 }
    : { uploadPauseMs: 12_000, gateWaitMs: 15_000 };
  options.say(
    `pausing ${lengths.uploadPauseMs} ms in uploads, ${lengths.gateWaitMs} ms in the gate`,
  );
  const rows = await Promise.all([
    uploadPause('length', lengths, options),
    uploadPause('chunked', lengths, options),
    gateWait('length', lengths, options),
    gateWait('chunked', lengths, options),
  ]);
  options.say('leaving the queue');
  const sizes = options.brief ? [0, BODY_BYTES] : [0, 16 * KIB, BODY_BYTES];
  for (const leave of ['close', 'reset'] as const) {
    const cases = sizes.map((bodyBytes) => () => leaving(leave, bodyBytes, options));
    // One at a time where the time counts.
    if (options.brief) rows.push(...(await Promise.all(cases.map((start) => start()))));
    else for (const start of cases) rows.push(await start());
  }
  return rows;
}

async function uploadPause(
  framing: Framing,
  { uploadPauseMs }: Lengths,
  options: TortureOptions,
): Promise<TortureRow> {
  const app = await startHoldingApp();
  const sidecar = await startSidecar({ appPort: app.port, containerConcurrency: 0 }, options);
  try {
    const client = await openClient(sidecar.port);
    client.write(uploadHead(framing, BODY_BYTES));
    const answered = readHead(client);
    const pieces = splitBody(framing, BODY_BYTES);
    client.write(pieces.first);
    await sleep(uploadPauseMs);
    client.write(pieces.second);
    return survived(`upload-pause-${framing}`, uploadPauseMs, (await answered).head);
  } finally {
    app.close();
    await sidecar.stop();
  }
}

async function gateWait(
  framing: Framing,
  { gateWaitMs }: Lengths,
  options: TortureOptions,
): Promise<TortureRow> {
  const app = await startHoldingApp();
  const sidecar = await startSidecar({ appPort: app.port, containerConcurrency: 1 }, options);
  try {
    const holder = await hold(sidecar);
    await app.untilHeld(1);
    const client = await openClient(sidecar.port);
    client.write(uploadHead(framing, BODY_BYTES));
    void pour(client, framing, BODY_BYTES);
    const answered = readHead(client);
    await sleep(gateWaitMs);
    app.release();
    const row = survived(`gate-wait-${framing}`, gateWaitMs, (await answered).head);
    holder.destroy();
    return row;
  } finally {
    app.close();
    await sidecar.stop();
  }
}

/** Fills the queue, lets one waiter leave and looks how soon its place can be had. */
async function leaving(
  leave: Leave,
  bodyBytes: number,
  options: TortureOptions,
): Promise<TortureRow> {
  const app = await startHoldingApp();
  const sidecar = await startSidecar({ appPort: app.port, containerConcurrency: 1 }, options);
  const sockets: Socket[] = [];
  try {
    sockets.push(await hold(sidecar));
    await app.untilHeld(1);
    for (let index = 0; index < QUEUE_DEPTH; index += 1) {
      const waiter = await openClient(sidecar.port);
      sockets.push(waiter);
      if (bodyBytes === 0) waiter.write('GET /upload HTTP/1.1\r\nHost: torture\r\n\r\n');
      else {
        waiter.write(uploadHead('length', bodyBytes));
        waiter.write(Buffer.alloc(bodyBytes, 'x'));
      }
    }
    await until(async () => !(await isPlaceFree(sidecar)), 'a full queue');
    const leaver = sockets.at(-1)!;
    const startMs = performance.now();
    if (leave === 'reset') leaver.resetAndDestroy();
    else leaver.destroy();
    const noticedMs = await untilFree(sidecar, startMs);
    const isRequired = options.engine === 'net';
    const limitMs = options.brief ? MAX_NOTICE_BRIEF_MS : MAX_NOTICE_MS;
    return {
      name: `${leave}-with-${bodyBytes / KIB}-kib`,
      ok: !isRequired || (noticedMs !== null && noticedMs <= limitMs),
      noticedMs,
    };
  } finally {
    for (const socket of sockets) socket.destroy();
    app.close();
    await sidecar.stop();
  }
}

/** Milliseconds since `startMs` until a place could be had; null when it never could. */
async function untilFree(sidecar: Sidecar, startMs: number): Promise<number | null> {
  for (;;) {
    const askedMs = performance.now() - startMs;
    if (await isPlaceFree(sidecar)) return Math.round(askedMs);
    if (askedMs > GIVE_UP_MS) return null;
  }
}

/** Whether one more request is let in to wait; it does not stay. */
async function isPlaceFree(sidecar: Sidecar): Promise<boolean> {
  const client = await openClient(sidecar.port);
  client.write('GET /hold HTTP/1.1\r\nHost: torture\r\n\r\n');
  const isRefused = await Promise.race([
    readHead(client).then(({ head }) => head.startsWith('HTTP/1.1 503')),
    sleep(REFUSAL_MS).then(() => false),
  ]);
  client.destroy();
  return !isRefused;
}

async function hold(sidecar: Sidecar): Promise<Socket> {
  const client = await openClient(sidecar.port);
  client.write('GET /hold HTTP/1.1\r\nHost: torture\r\n\r\n');
  return client;
}

function uploadHead(framing: Framing, bytes: number): string {
  return `POST /upload HTTP/1.1\r\nHost: torture\r\n${framingHeader(framing, bytes)}\r\n\r\n`;
}

/** The body cut in the middle; of a chunked one, inside a chunk. */
function splitBody(framing: Framing, bytes: number): { first: string; second: string } {
  const half = 'x'.repeat(bytes / 2);
  if (framing === 'length') return { first: half, second: half };
  return { first: `${bytes.toString(16)}\r\n${half}`, second: `${half}\r\n0\r\n\r\n` };
}

function survived(name: string, pausedMs: number, head: string): TortureRow {
  const status = Number(head.split(' ')[1] ?? 0);
  const gotBytes = Number(/^x-got: (\d+)/im.exec(head)?.[1] ?? 0);
  return { name, ok: status === 200 && gotBytes === BODY_BYTES, pausedMs, status, gotBytes };
}

async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`never came: ${what}`);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
