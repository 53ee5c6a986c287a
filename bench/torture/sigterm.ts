// SIGTERM with two hundred requests inside: nothing that was accepted is cut. From the first
// instant probes fail while requests are still served; after the quiet period the preStop call is
// answered and the doors close; what is inside finishes in its own time, answers say
// `Connection: close`, tunnels keep their minute; then the process exits with 0. A second signal
// means now, exit code 1 (QP-113 to QP-124).

import { connect, type Socket } from 'node:net';
import { type HoldingApp, startHoldingApp } from './holding-app.ts';
import { openClient } from './raw-http.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';
import { http2Row } from './sigterm-http2.ts';

const IN_FLIGHT = 200;
/** Among them; the rest wait for their answer's first byte. */
const STREAMS = 40;
const UPLOADS = 40;
const UPLOAD_BYTES = 4_096;
const PROBE = ['User-Agent: kube-probe/1.33', 'K-Network-Probe: queue'];
const LATER_PROBES = 20;
const POLL_MS = 20;
const DEADLINE_MS = 60_000;

export const sigterm: TortureScenario = { name: 'sigterm', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const quietSeconds = options.seconds ?? (options.brief ? 1 : 5);
  return [
    ...(await firstSignal(quietSeconds, options)),
    // `uws` has no HTTP/2 (docs/engines.md).
    ...(options.engine === 'net' ? [await http2Row(quietSeconds, options)] : []),
    await secondSignal('second-signal', 1, options),
  ];
}

async function firstSignal(
  quietSeconds: number,
  options: TortureOptions,
): Promise<readonly TortureRow[]> {
  const app = await startHoldingApp();
  const sidecar = await startDraining(app, quietSeconds, options);
  try {
    options.say(`${IN_FLIGHT} requests in flight, then SIGTERM`);
    const inside = await fill(sidecar, app);
    const tunnel = await openTunnel(sidecar, options);
    const startMs = performance.now();
    sidecar.child.kill('SIGTERM');
    const preStop = await Answering.send(sidecar.adminPort, 'GET', '/wait-for-drain', []);
    const draining = await whileDraining(sidecar, startMs);
    const rows = [draining, await whenQuiet(preStop, sidecar, startMs, quietSeconds)];
    rows.push(await finish(inside, tunnel, app));
    rows.push(await exitRow('exit', sidecar, 0, startMs));
    return rows;
  } finally {
    app.close();
    await sidecar.stop();
  }
}

/** Two hundred requests of three kinds, all with the application. */
async function fill(sidecar: Sidecar, app: HoldingApp): Promise<Answering[]> {
  const inside: Answering[] = [];
  for (let index = 0; index < IN_FLIGHT; index += 1) {
    if (index < STREAMS) inside.push(await Answering.send(sidecar.port, 'GET', '/stream', []));
    else if (index < STREAMS + UPLOADS) {
      const upload = await Answering.send(sidecar.port, 'POST', '/upload', [
        `Content-Length: ${UPLOAD_BYTES}`,
      ]);
      upload.socket.write('x'.repeat(UPLOAD_BYTES / 2));
      inside.push(upload);
    } else inside.push(await Answering.send(sidecar.port, 'GET', '/hold', []));
  }
  await app.untilHeld(IN_FLIGHT - UPLOADS);
  return inside;
}

/** Null on `uws`, which switches to nothing but whole websockets (docs/engines.md). */
async function openTunnel(sidecar: Sidecar, options: TortureOptions): Promise<Answering | null> {
  if (options.engine === 'uws') return null;
  const headers = ['Connection: Upgrade', 'Upgrade: torture'];
  const tunnel = await Answering.send(sidecar.port, 'GET', '/tunnel', headers);
  await tunnel.untilReceived('101 Switching Protocols');
  return tunnel;
}

/** QP-21, QP-114: probes fail at once, new connections are still served. */
async function whileDraining(sidecar: Sidecar, startMs: number): Promise<TortureRow> {
  const probe = await untilProbesFail(sidecar);
  const probeMs = Math.round(performance.now() - startMs);
  // Whichever thread they reach.
  const more = await Promise.all(
    Array.from({ length: LATER_PROBES }, () => Answering.ask(sidecar.port, '/', PROBE)),
  );
  const fresh = await Answering.ask(sidecar.port, '/quick', []);
  const haveFailed = [probe, ...more].every(({ received }) => received.endsWith('shutting down\n'));
  return {
    name: 'while-draining',
    ok: haveFailed && fresh.status === 200,
    probeStatus: probe.status,
    probeMs,
    newRequestStatus: fresh.status,
  };
}

/** A signal takes a moment to be delivered; the probe that fails first says the drain began. */
async function untilProbesFail(sidecar: Sidecar): Promise<Answering> {
  for (;;) {
    const probe = await Answering.ask(sidecar.port, '/', PROBE);
    if (probe.status !== 200) return probe;
  }
}

/** QP-117, QP-121: the preStop call ends with the quiet period, then the doors close. */
async function whenQuiet(
  preStop: Answering,
  sidecar: Sidecar,
  startMs: number,
  quietSeconds: number,
): Promise<TortureRow> {
  await preStop.untilReceived('\r\n\r\n');
  const drainMs = Math.round(performance.now() - startMs);
  while (await isOpen(sidecar.port)) await sleep(POLL_MS);
  return {
    name: 'after-the-quiet-period',
    // Timers are allowed to be a little early in another process's eyes.
    ok: preStop.status === 200 && drainMs >= quietSeconds * 1000 - POLL_MS,
    preStopStatus: preStop.status,
    drainMs,
  };
}

/** Everything inside ends as if nothing had happened. */
async function finish(
  inside: readonly Answering[],
  tunnel: Answering | null,
  app: HoldingApp,
): Promise<TortureRow> {
  tunnel?.socket.write('still here');
  await tunnel?.untilReceived('still here');
  for (const upload of inside.slice(STREAMS, STREAMS + UPLOADS)) {
    upload.socket.write('x'.repeat(UPLOAD_BYTES / 2));
  }
  app.release();
  await tunnel?.untilReceived('last words');
  await Promise.all(inside.map((answering) => answering.untilClosed()));
  const isWhole = ({ received }: Answering, index: number): boolean => {
    if (index < STREAMS) return received.includes('data: last') && received.endsWith('0\r\n\r\n');
    if (index < STREAMS + UPLOADS) return received.toLowerCase().includes(`x-got: ${UPLOAD_BYTES}`);
    return received.endsWith('held');
  };
  const whole = inside.filter(
    (answering, index) => answering.status === 200 && isWhole(answering, index),
  );
  const told = inside.slice(STREAMS).filter(({ received }) => /connection: close/i.test(received));
  return {
    name: 'in-flight',
    ok: whole.length === IN_FLIGHT && told.length === IN_FLIGHT - STREAMS,
    requests: IN_FLIGHT,
    whole: whole.length,
    toldToClose: told.length,
  };
}

/** QP-124. */
async function secondSignal(
  name: string,
  quietSeconds: number,
  options: TortureOptions,
): Promise<TortureRow> {
  const app = await startHoldingApp();
  const sidecar = await startDraining(app, quietSeconds, options);
  try {
    await Answering.send(sidecar.port, 'GET', '/hold', []);
    await app.untilHeld(1);
    const startMs = performance.now();
    sidecar.child.kill('SIGTERM');
    await untilProbesFail(sidecar);
    sidecar.child.kill('SIGTERM');
    return await exitRow(name, sidecar, 1, startMs);
  } finally {
    app.close();
    await sidecar.stop();
  }
}

async function exitRow(
  name: string,
  sidecar: Sidecar,
  wanted: number,
  startMs: number,
): Promise<TortureRow> {
  const exitCode = await sidecar.exited;
  const afterMs = Math.round(performance.now() - startMs);
  return { name, ok: exitCode === wanted, exitCode, afterMs };
}

function startDraining(
  app: HoldingApp,
  quietSeconds: number,
  options: TortureOptions,
): Promise<Sidecar> {
  const env = { QUEUE_DRAIN_QUIET_SECONDS: String(quietSeconds) };
  return startSidecar({ appPort: app.port, containerConcurrency: 0, env }, options);
}

/** A client with everything it received. */
class Answering {
  received = '';
  isClosed = false;
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static async send(
    port: number,
    method: string,
    path: string,
    headers: readonly string[],
  ): Promise<Answering> {
    const answering = new Answering(await openClient(port));
    const lines = [`${method} ${path} HTTP/1.1`, 'Host: torture', ...headers];
    answering.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    return answering;
  }

  /** The answer to a request on a connection of its own. */
  static async ask(port: number, path: string, headers: readonly string[]): Promise<Answering> {
    const answering = await Answering.send(port, 'GET', path, [...headers, 'Connection: close']);
    await answering.untilClosed();
    return answering;
  }

  get status(): number {
    return Number(this.received.split(' ')[1] ?? 0);
  }

  async untilReceived(text: string): Promise<void> {
    await this.#until(() => this.received.includes(text), text);
  }

  async untilClosed(): Promise<void> {
    await this.#until(() => this.isClosed, 'the end of the connection');
  }

  async #until(isTrue: () => boolean, what: string): Promise<void> {
    const endMs = performance.now() + DEADLINE_MS;
    while (!isTrue()) {
      if (performance.now() > endMs || (this.isClosed && !isTrue())) {
        throw new Error(`never came: ${what}; received ${JSON.stringify(this.received)}`);
      }
      await sleep(POLL_MS);
    }
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
