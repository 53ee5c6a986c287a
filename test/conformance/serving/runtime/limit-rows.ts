// How long a request may take and how many may be inside: the three timeouts, each on a revision of its
// own with a second or two, and containerConcurrency with the queue behind it.

import { expect } from 'vitest';
import type { RawClient } from '../../../../src/queueproxy/testing/raw-client.ts';
import type { Cluster } from '../cluster.ts';
import { REVISION } from '../resources.ts';
import { row, type ServingRow, shared } from '../row.ts';
import {
  app,
  DIRECT,
  deployed,
  deployedDirect,
  Held,
  rawRequest,
  THROUGH_ACTIVATOR,
} from './app.ts';

const limited = (name: string, spec: Record<string, number>) =>
  shared((cluster) => deployedDirect(cluster, app(name, { annotations: DIRECT, spec })));

const total = limited('total', { timeoutSeconds: 2 });
const start = limited('start', { timeoutSeconds: 60, responseStartTimeoutSeconds: 1 });
const idle = limited('idle', { timeoutSeconds: 60, idleTimeoutSeconds: 1 });
const single = limited('single', { containerConcurrency: 1 });
const couple = limited('couple', { containerConcurrency: 2 });
const unlimited = limited('unlimited', { containerConcurrency: 0 });
const hurried = limited('hurried', { containerConcurrency: 1, timeoutSeconds: 2 });

interface Crowd {
  inside: number;
  most: number;
}

const crowd = ({ body }: { body: string }): Crowd => JSON.parse(body) as Crowd;

/** All that comes until the connection ends. */
async function untilCut(cluster: Cluster, host: string, path: string): Promise<string> {
  const client = await rawRequest(cluster, host, `GET ${path} HTTP/1.1`);
  await client.untilClosed();
  return client.received;
}

async function tunnel(cluster: Cluster, host: string): Promise<RawClient> {
  const lines = ['Connection: Upgrade', 'Upgrade: anything'];
  const client = await rawRequest(cluster, host, 'GET /tunnel HTTP/1.1', ...lines);
  await client.until((text) => text.endsWith('\r\n\r\n'));
  client.received = '';
  return client;
}

/** Sends and reads back until the tunnel ends, or until `isOver`. */
async function keepBusy(client: RawClient, isOver: () => boolean = () => false): Promise<void> {
  while (!client.closed && !isOver()) {
    client.socket.write('.');
    await client.until((text) => text.length > 0).catch(() => undefined);
    client.received = '';
  }
}

export const timeoutRows: readonly ServingRow[] = [
  row(
    'RC-30, QP-49',
    'timeoutSeconds before the first byte is 504 and its text',
    async (cluster) => {
      const { status, headers, body } = await cluster.ask(await total(cluster), { path: '/hang' });
      expect([status, body]).toEqual([504, 'request timeout']);
      expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    },
  ),
  row('RC-30, QP-50', 'timeoutSeconds cuts an answer that has started', async (cluster) => {
    const host = await total(cluster);
    const paths = ['/begin-and-hang', '/begin-and-hang?length=100'];
    for (const received of await Promise.all(paths.map((path) => untilCut(cluster, host, path)))) {
      expect(received).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n(5\r\n)?begun(\r\n)?$/);
    }
  }),
  row('RC-30', 'Waiting for a place counts', async (cluster) => {
    const host = await hurried(cluster);
    const [first, second] = await Promise.all([
      cluster.ask(host, { path: '/hang' }),
      cluster.ask(host, { path: '/hang' }),
    ]);
    expect([first.status, second.status]).toEqual([504, 504]);
    expect([first.body, second.body]).toEqual(['request timeout', 'request timeout']);
  }),
  row('RC-31', 'responseStartTimeoutSeconds before the first byte is 504', async (cluster) => {
    const { status, body } = await cluster.ask(await start(cluster), { path: '/hang' });
    expect([status, body]).toEqual([504, 'request timeout']);
  }),
  row('RC-31', 'responseStartTimeoutSeconds leaves a started answer alone', async (cluster) => {
    const host = await start(cluster);
    const lines = ['Transfer-Encoding: chunked'];
    const client = await rawRequest(cluster, host, 'POST /echo HTTP/1.1', ...lines);
    client.socket.write('5\r\nbegun\r\n');
    await client.until((text) => text.includes('begun'));
    // Begun after it, over after the same time.
    expect((await cluster.ask(host, { path: '/hang' })).status).toBe(504);
    client.socket.write('4\r\nlate\r\n0\r\n\r\n');
    await client.until((text) => text.includes('late') && text.endsWith('0\r\n\r\n'));
    client.socket.destroy();
  }),
  row('RC-32', 'idleTimeoutSeconds before the first byte is 504', async (cluster) => {
    const { status, body } = await cluster.ask(await idle(cluster), { path: '/hang' });
    expect([status, body]).toEqual([504, 'request timeout']);
  }),
  row('RC-32, QP-50', 'idleTimeoutSeconds cuts an answer that stands still', async (cluster) => {
    const received = await untilCut(cluster, await idle(cluster), '/begin-and-hang');
    expect(received).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n5\r\nbegun\r\n$/);
  }),
  row('RC-32', 'idleTimeoutSeconds leaves an answer alone that goes on', async (cluster) => {
    const host = await idle(cluster);
    const { body } = await cluster.ask(host, { path: '/tick?count=8&ms=250' });
    expect(body).toBe('tick\n'.repeat(8));
  }),
  row('RC-33', 'timeoutSeconds cuts an upgraded connection, busy or not', async (cluster) => {
    const host = await total(cluster);
    const [busy, silent] = await Promise.all([tunnel(cluster, host), tunnel(cluster, host)]);
    await Promise.all([keepBusy(busy), silent.untilClosed()]);
  }),
  row('RC-33, QP-53', 'The other two cut one in which the container is silent', async (cluster) => {
    for (const host of await Promise.all([start(cluster), idle(cluster)])) {
      const [busy, silent] = await Promise.all([tunnel(cluster, host), tunnel(cluster, host)]);
      await keepBusy(busy, () => silent.closed);
      busy.socket.write('still open');
      await busy.until((text) => text === 'still open');
      busy.socket.destroy();
    }
  }),
  row('QP-49', 'A connection stays usable after a 504', async (cluster) => {
    const client = await rawRequest(cluster, await start(cluster), 'GET /hang HTTP/1.1');
    expect((await client.answer()).status).toBe(504);
    const host = await start(cluster);
    client.socket.write(`GET /status?code=201 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect((await client.answer()).status).toBe(201);
    client.socket.destroy();
  }),
  row('WH-32', 'timeoutSeconds is 300 unless given, the others stay unset', async (cluster) => {
    await unlimited(cluster);
    const { spec } = await cluster.get(REVISION, 'unlimited-00001');
    expect(spec).toMatchObject({ timeoutSeconds: 300, containerConcurrency: 0 });
    expect(spec).not.toHaveProperty('responseStartTimeoutSeconds');
    expect(spec).not.toHaveProperty('idleTimeoutSeconds');
  }),
  row(
    'WH-32',
    'responseStartTimeoutSeconds is 300 for those that may take longer',
    async (cluster) => {
      const long = app('long', { spec: { timeoutSeconds: 600 } });
      const { body } = await cluster.post(long, '?dryRun=All');
      expect(body).toMatchObject({
        spec: { template: { spec: { timeoutSeconds: 600, responseStartTimeoutSeconds: 300 } } },
      });
    },
  ),
  row('WH-67', 'Timeouts and concurrency beyond the bounds are refused', async (cluster) => {
    for (const [field, value, bounds] of [
      ['timeoutSeconds', 601, '0 <= 601 <= 600'],
      ['timeoutSeconds', -1, '0 <= -1 <= 600'],
      ['containerConcurrency', 1001, '0 <= 1001 <= 1000'],
      ['containerConcurrency', -1, '0 <= -1 <= 1000'],
    ] as const) {
      expect(await cluster.refusal(app('bounds', { spec: { [field]: value } }))).toContain(
        `expected ${bounds}: spec.template.spec.${field}`,
      );
    }
  }),
];

export const concurrencyRows: readonly ServingRow[] = [
  row('RC-41', 'containerConcurrency 1 never lets two requests in', async (cluster) => {
    const spec = { containerConcurrency: 1 };
    const object = app('alone', { annotations: THROUGH_ACTIVATOR, spec });
    const host = await deployed(cluster, object);
    const held = Array.from({ length: 40 }, () => new Held(cluster, host));
    for (const request of held) request.finish();
    const answers = await Promise.all(held.map(({ answer }) => answer));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(Math.max(...answers.map((answer) => crowd(answer).most))).toBe(1);
  }),
  row(
    'RC-40, QP-28',
    'Ten wait for the place of one, the twelfth is 503 at once',
    async (cluster) => {
      const host = await single(cluster);
      const held = Array.from({ length: 12 }, () => new Held(cluster, host));
      const refused = await Promise.race(
        held.map(async (request) => ({ request, ...(await request.answer) })),
      );
      expect([refused.status, refused.body]).toEqual([503, 'pending request queue full\n']);
      for (const request of held) request.finish();
      const others = held.filter((request) => request !== refused.request);
      const answers = await Promise.all(others.map(({ answer }) => answer));
      expect(answers.map(({ status }) => status)).toEqual(Array(11).fill(200));
      expect(Math.max(...answers.map((answer) => crowd(answer).most))).toBe(1);
    },
  ),
  row(
    'RC-40',
    'containerConcurrency 2 lets two in and the third when one is out',
    async (cluster) => {
      const host = await couple(cluster);
      const held = Array.from({ length: 5 }, () => new Held(cluster, host));
      for (const request of held) request.finish();
      const answers = await Promise.all(held.map(({ answer }) => answer));
      expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200));
      expect(Math.max(...answers.map((answer) => crowd(answer).most))).toBeLessThanOrEqual(2);
    },
  ),
  row('RC-40', 'containerConcurrency 0 lets everybody in', async (cluster) => {
    const host = await unlimited(cluster);
    const held = Array.from({ length: 50 }, () => new Held(cluster, host));
    const inside = async () => {
      const one = new Held(cluster, host);
      one.finish();
      return crowd(await one.answer).inside;
    };
    await expect.poll(inside, { timeout: 20_000 }).toBe(51);
    for (const request of held) request.finish();
    await Promise.all(held.map(({ answer }) => answer));
  }),
  row('RC-42, RC-24', 'A network probe is answered while the place is taken', async (cluster) => {
    const host = await deployedDirect(
      cluster,
      app('probed', { annotations: DIRECT, spec: { containerConcurrency: 1 } }),
    );
    const held = new Held(cluster, host);
    const headers = { 'k-network-probe': 'probe', 'k-network-hash': 'h' };
    expect((await cluster.ask(host, { headers })).status).toBe(200);
    held.finish();
    expect((await held.answer).status).toBe(200);
  }),
  row('RC-40, QP-30', 'An upgraded connection keeps its place while it lives', async (cluster) => {
    const host = await deployedDirect(
      cluster,
      app('tunnelled', { annotations: DIRECT, spec: { containerConcurrency: 1 } }),
    );
    const open = await tunnel(cluster, host);
    const waiting = new Held(cluster, host);
    waiting.finish();
    for (let n = 0; n < 20; n += 1) {
      open.received = '';
      open.socket.write('still here');
      await open.until((text) => text === 'still here');
    }
    expect(waiting.isAnswered).toBe(false);
    open.socket.end();
    expect((await waiting.answer).status).toBe(200);
  }),
];
