// The concurrency gate under a thousand clients that come, wait, give up and come back while its
// limit changes (QP-26 to QP-32). The application counts what is inside it: never more than the
// limit that was in force within the last second, so never six at a limit of five. Nothing may be
// lost: slots, waiting places, answers. Beyond eleven times the limit there is an immediate 503.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BUILD } from '../support/processes.ts';
import { sidecarEnvironment } from '../support/proxies.ts';
import { callersPresent } from './callers-present.ts';
import { type Ending, GateClient } from './gate-client.ts';
import type { HostAnswer, HostOrder } from './gate-host.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';

const LIMIT = 5;
const SLOTS = 11 * LIMIT;
const BEYOND = 20;
const FEW_CLIENTS = 50;
/** A request admitted before the limit fell may reach the application this much later. */
const GRACE_MS = 1_000;
const DEADLINE_MS = 60_000;

export const gate: TortureScenario = { name: 'gate', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const app = await CountingApp.start();
  const host = await Host.start(app.port, options);
  const seconds = options.seconds ?? (options.brief ? 2 : 30);
  try {
    options.say(`filling ${SLOTS} slots, then ${BEYOND} requests more`);
    const rows = [await beyondTheSlots(app, host)];
    options.say(`${seconds} s of clients that come and go`);
    rows.push(await storm(app, host, seconds, options.brief ? 200 : 1_000));
    rows.push(await afterwards(app, host));
    options.say(`${FEW_CLIENTS} clients`);
    rows.push(await fewClients(app, host, options.brief ? 1 : Math.min(5, seconds)));
    return rows;
  } finally {
    await host.stop();
    app.close();
  }
}

/** QP-27: exactly 11 x limit requests are taken; each further one is refused at once. */
async function beyondTheSlots(app: CountingApp, host: Host): Promise<TortureRow> {
  app.hold();
  const clients = Array.from({ length: SLOTS + BEYOND }, () => new GateClient(host.port));
  const taken = clients.slice(0, SLOTS).map((client) => client.ask(null));
  const full = await host.until(({ inFlight, waiting }) => inFlight + waiting === SLOTS);
  const refused = await Promise.all(clients.slice(SLOTS).map((client) => client.ask(null)));
  app.release();
  const served = await Promise.all(taken);
  for (const client of clients) client.leave();
  const servedCount = served.filter((ending) => ending === 'served').length;
  const refusedCount = refused.filter((ending) => ending === 'full').length;
  const ok = full !== null && servedCount === SLOTS && refusedCount === BEYOND;
  return { name: 'beyond-the-slots', ok, servedCount, refusedCount };
}

async function storm(
  app: CountingApp,
  host: Host,
  seconds: number,
  clientCount: number,
): Promise<TortureRow> {
  const endings: Record<Ending, number> = { served: 0, full: 0, left: 0, lost: 0 };
  const endMs = performance.now() + seconds * 1_000;
  let asked = 0;
  const client = async (): Promise<void> => {
    const one = new GateClient(host.port);
    while (performance.now() < endMs) {
      asked += 1;
      const ending = await one.ask(Math.random() < 0.25 ? Math.random() * 60 : null);
      endings[ending] += 1;
      if (ending === 'full') await sleep(50 + Math.random() * 200);
    }
    one.leave();
  };
  const all = Promise.all(Array.from({ length: clientCount }, client));
  let resizes = 0;
  while (performance.now() < endMs) {
    await sleep(100 + Math.random() * 400);
    await host.resize(app, 1 + Math.floor(Math.random() * LIMIT));
    resizes += 1;
  }
  await host.resize(app, LIMIT);
  await Promise.race([all, sleep(DEADLINE_MS, { isBackground: true })]);
  const { served, full, left, lost } = endings;
  const unanswered = asked - served - full - left;
  const { worst, aboveLimit } = app;
  const ok = unanswered === 0 && aboveLimit === 0 && worst <= LIMIT && served > 0;
  const counts = { asked, served, refused: full, cancelled: left, lost, unanswered };
  return { name: 'storm', ok, clientCount, ...counts, resizes, worst, aboveLimit };
}

/** No slot leaked: nothing is inside, and five new requests run at once. */
async function afterwards(app: CountingApp, host: Host): Promise<TortureRow> {
  const state = await host.until(({ inFlight, waiting }) => inFlight === 0 && waiting === 0);
  app.hold();
  const clients = Array.from({ length: LIMIT }, () => new GateClient(host.port));
  const asked = clients.map((client) => client.ask(null));
  const startMs = performance.now();
  while (app.inside < LIMIT && performance.now() < startMs + DEADLINE_MS) await sleep(5);
  const atOnce = app.inside;
  app.release();
  const endings = await Promise.all(asked);
  for (const client of clients) client.leave();
  const ok = state !== null && atOnce === LIMIT && endings.every((one) => one === 'served');
  return { name: 'afterwards', ok, inFlight: state?.inFlight ?? -1, atOnce };
}

/** QP-28: fewer clients than slots are never refused. */
async function fewClients(app: CountingApp, host: Host, seconds: number): Promise<TortureRow> {
  const endings: Record<Ending, number> = { served: 0, full: 0, left: 0, lost: 0 };
  const endMs = performance.now() + seconds * 1_000;
  const client = async (): Promise<void> => {
    const one = new GateClient(host.port);
    while (performance.now() < endMs) endings[await one.ask(null)] += 1;
    one.leave();
  };
  await Promise.all(Array.from({ length: FEW_CLIENTS }, client));
  const { served, full, lost } = endings;
  const ok = served > 0 && full === 0 && lost === 0 && app.worst <= LIMIT;
  return { name: 'few-clients', ok, served, refused: full, lost, worst: app.worst };
}

/** The user's server: answers after a moment, and knows how many requests are inside. */
class CountingApp {
  worst = 0;
  /** Arrivals that found more inside than any limit of the last second allows. */
  aboveLimit = 0;
  readonly port: number;
  readonly #server;
  #held: ServerResponse[] | null = null;
  readonly #inside = new Set<ServerResponse>();
  /** Limits and until when each may still show; the last one is in force. */
  #limits = [{ limit: LIMIT, untilMs: Number.POSITIVE_INFINITY }];

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('request', (_request, response: ServerResponse) => this.#onRequest(response));
  }

  static async start(): Promise<CountingApp> {
    const server = createServer({ keepAliveTimeout: DEADLINE_MS }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CountingApp(server);
  }

  /** From now on `limit` applies; what applied before may show for a moment. */
  onLimit(limit: number): void {
    const nowMs = performance.now();
    for (const one of this.#limits) one.untilMs = Math.min(one.untilMs, nowMs + GRACE_MS);
    this.#limits = this.#limits.filter(({ untilMs }) => untilMs > nowMs);
    this.#limits.push({ limit, untilMs: Number.POSITIVE_INFINITY });
  }

  get inside(): number {
    return this.#inside.size;
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const response of held) response.end('done');
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #onRequest(response: ServerResponse): void {
    this.#inside.add(response);
    response.once('close', () => this.#inside.delete(response));
    this.#judge();
    if (this.#held !== null) this.#held.push(response);
    else setTimeout(() => response.end('done'), 1 + Math.random() * 10);
  }

  #judge(): void {
    const nowMs = performance.now();
    const inForce = this.#limits.filter(({ untilMs }) => untilMs > nowMs);
    const allowed = Math.max(...inForce.map(({ limit }) => limit));
    // Whoever gave up has closed its connection, but Node may tell of that after this arrival.
    const count = this.inside > allowed ? callersPresent(this.port, this.#inside) : this.inside;
    this.worst = Math.max(this.worst, count);
    if (count > allowed) this.aboveLimit += 1;
  }
}

class Host {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(appPort: number, options: TortureOptions): Promise<Host> {
    const ports = { serving: 0, admin: 0, stats: 0, metrics: 0, app: appPort };
    const child = fork(join(BUILD, 'bench', 'torture', 'gate-host.js'), [], {
      env: {
        PATH: process.env['PATH'] ?? '',
        ...sidecarEnvironment(ports, LIMIT),
        REVISION_TIMEOUT_SECONDS: '3600',
        QUEUE_THREADS: String(options.threads),
        PILOTLIGHT_HTTP_ENGINE: options.engine,
      },
    });
    const [answer] = (await once(child, 'message')) as [HostAnswer];
    return new Host(child, answer.port);
  }

  async resize(app: CountingApp, limit: number): Promise<void> {
    app.onLimit(limit);
    await this.#order({ resize: limit });
    app.onLimit(limit);
  }

  /** The state that satisfies the condition; null when none did in time. */
  async until(isThere: (state: HostAnswer) => boolean): Promise<HostAnswer | null> {
    const startMs = performance.now();
    while (performance.now() < startMs + DEADLINE_MS) {
      const state = await this.#order('state');
      if (isThere(state)) return state;
      await sleep(10);
    }
    return null;
  }

  async stop(): Promise<void> {
    this.#child.send('stop');
    await once(this.#child, 'exit');
  }

  async #order(order: HostOrder): Promise<HostAnswer> {
    const answered = once(this.#child, 'message');
    this.#child.send(order);
    return ((await answered) as [HostAnswer])[0];
  }
}

/** In the background it does not keep the process alive. */
function sleep(ms: number, { isBackground = false } = {}): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    if (isBackground) timer.unref();
  });
}
