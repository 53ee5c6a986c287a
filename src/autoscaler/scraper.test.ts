import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoints, Pod } from '../api/core.ts';
import { systemClock } from '../clock/clock.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import type { Lister } from '../kube/types.ts';
import { emptyStat, encodeStat } from '../wire/stat.ts';
import type { PodCounter } from './pod-counter.ts';
import { createScrapeClient, type ScrapeClient } from './scrape-client.ts';
import {
  DIRECT_SCRAPING_UNAVAILABLE,
  NO_ENDPOINTS,
  outcomeWithoutPods,
  PODS_EXHAUSTED,
  type ScrapeOutcome,
  scrapeRevision,
} from './scraper.ts';

const NOW_MS = 1_700_000_000_000;
const servers: Server[] = [];
const clients: ScrapeClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const serve = async (listener: RequestListener): Promise<number> => {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

const answer =
  (concurrency: number, proxied = 0): RequestListener =>
  (_request, response) => {
    response.setHeader('Content-Type', 'application/protobuf');
    response.end(
      encodeStat({
        ...emptyStat('pod'),
        averageConcurrentRequests: concurrency,
        averageProxiedConcurrentRequests: proxied,
        requestCount: concurrency * 2,
      }),
    );
  };

interface FakePod {
  port: number;
  ageMs?: number;
  ready?: boolean;
  deleted?: boolean;
}

async function scrape(
  pods: FakePod[],
  mode: 'auto' | 'enabled' | 'disabled' = 'auto',
  client = createScrapeClient(systemClock),
): Promise<ScrapeOutcome> {
  clients.push(client);
  const objects = pods.map(
    (pod, index) =>
      ({
        metadata: {
          name: `pod-${index}`,
          namespace: 'default',
          ...(pod.deleted ? { deletionTimestamp: 'now' } : {}),
        },
        status: {
          phase: 'Running',
          startTime: new Date(NOW_MS - (pod.ageMs ?? 100_000)).toISOString(),
          conditions: [{ type: 'Ready', status: pod.ready === false ? 'False' : 'True' }],
        },
      }) as unknown as Pod,
  );
  const subsets = pods.map((pod, index) => ({
    addresses: [{ ip: '127.0.0.1', targetRef: { kind: 'Pod', name: `pod-${index}` } }],
    ports: [
      { name: 'http', port: 1 },
      { name: 'http-autometric', port: pod.port },
    ],
  }));
  const endpoints = { subsets } as unknown as Endpoints;
  return scrapeRevision(
    {
      key: 'default/hello',
      namespace: 'default',
      serviceName: 'hello-private',
      isAddressable: true,
    },
    60_000,
    NOW_MS,
    {
      client,
      pods: { pods: () => objects } as unknown as PodCounter,
      endpoints: {
        getByKey: (key: string) => (key === 'default/hello-private' ? endpoints : undefined),
      } as unknown as Lister<Endpoints>,
      mesh: { mode, podAddressability: false },
      random: () => 0.5,
    },
  );
}

describe('scraping pods', () => {
  it('AS-74: sums what every pod says, at the ports their Endpoints name', async () => {
    const ports = await Promise.all([serve(answer(3, 1)), serve(answer(5)), serve(answer(4))]);
    const outcome = await scrape(ports.map((port) => ({ port })));
    expect(outcome.failure).toBeNull();
    expect(outcome.stat).toMatchObject({
      podName: 'service-scraper',
      averageConcurrentRequests: 12,
      averageProxiedConcurrentRequests: 1,
      requestCount: 24,
      processUptime: 0,
    });
  });

  it('AS-72: a pod that fails is replaced by one in reserve', async () => {
    const good = await serve(answer(2));
    const bad = await serve((_request, response) => response.writeHead(500).end());
    const pods = [{ port: bad }, ...Array.from({ length: 4 }, () => ({ port: good }))];
    const outcome = await scrape(pods);
    expect(outcome.stat?.averageConcurrentRequests).toBe(10);
  });

  it('AS-70, AS-71: young pods only fill up; unready and leaving ones are not asked', async () => {
    const old = await serve(answer(1));
    const young = await serve(answer(100));
    const never = await serve(() => expect.unreachable());
    const outcome = await scrape([
      ...Array.from({ length: 5 }, () => ({ port: old })),
      { port: young, ageMs: 1000 },
      { port: never, ready: false },
      { port: never, deleted: true },
    ]);
    // Six pods, five of them read: all old.
    expect(outcome.stat?.averageConcurrentRequests).toBe(6);
  });

  it.each<[string, RequestListener, ScrapeOutcome['failure']]>([
    ['503 looks like a mesh', (_q, r) => r.writeHead(503).end(), DIRECT_SCRAPING_UNAVAILABLE],
    ['502 looks like a mesh', (_q, r) => r.writeHead(502).end(), DIRECT_SCRAPING_UNAVAILABLE],
    ['404 does not', (_q, r) => r.writeHead(404).end(), PODS_EXHAUSTED],
    ['another content type', (_q, r) => r.end('text'), PODS_EXHAUSTED],
    ['a cut connection', (_q, r) => r.destroy(), PODS_EXHAUSTED],
    [
      'AS-77: more than 336 bytes',
      (_q, r) => r.setHeader('Content-Type', 'application/protobuf').end(Buffer.alloc(337)),
      PODS_EXHAUSTED,
    ],
    [
      'a body that is no stat',
      (_q, r) => r.setHeader('Content-Type', 'application/protobuf').end(Buffer.alloc(5, 0xff)),
      PODS_EXHAUSTED,
    ],
  ])('AS-73: %s', async (_name, listener, failure) => {
    const port = await serve(listener);
    expect(await scrape([{ port }, { port }], 'disabled')).toEqual({ stat: null, failure });
  });

  it('AS-73: one answer too few means nothing is recorded', async () => {
    const good = await serve(answer(2));
    const bad = await serve((_request, response) => response.writeHead(503).end());
    expect(await scrape([{ port: good }, { port: bad }])).toEqual({
      stat: null,
      failure: PODS_EXHAUSTED,
    });
  });

  it('AS-77: gives up after three seconds', async () => {
    const clock = new FakeClock();
    const port = await serve(() => clock.advance(3000));
    const outcome = await scrape([{ port }], 'auto', createScrapeClient(clock));
    expect(outcome.failure).toBe(PODS_EXHAUSTED);
  });

  it('AS-70: without pods there is nothing to read and nothing wrong', async () => {
    expect(await scrape([])).toEqual({ stat: null, failure: null });
  });

  it('AS-76: missing Endpoints are a failure of their own', async () => {
    const client = createScrapeClient(systemClock);
    clients.push(client);
    const outcome = await scrapeRevision(
      { key: 'default/hello', namespace: 'default', serviceName: 'missing', isAddressable: true },
      60_000,
      NOW_MS,
      {
        client,
        pods: { pods: () => [] } as unknown as PodCounter,
        endpoints: { getByKey: () => undefined } as unknown as Lister<Endpoints>,
        mesh: { mode: 'auto', podAddressability: false },
        random: () => 0.5,
      },
    );
    expect(outcome.failure).toBe(NO_ENDPOINTS);
  });
});

describe('revisions without pods', () => {
  const endpoints = (isThere: boolean): Lister<Endpoints> =>
    ({ getByKey: () => (isThere ? { subsets: [] } : undefined) }) as unknown as Lister<Endpoints>;
  const pods = (count: number): PodCounter =>
    ({ pods: () => [], hasAny: () => count > 0, ready: () => -1 }) as unknown as PodCounter;
  const target = (isAddressable: boolean) => ({
    key: 'default/hello',
    namespace: 'default',
    serviceName: 'hello-private',
    isAddressable,
  });

  it.each([
    { mode: 'auto', isAddressable: true, isThere: true },
    { mode: 'auto', isAddressable: true, isThere: false },
    { mode: 'disabled', isAddressable: false, isThere: true },
    { mode: 'disabled', isAddressable: true, isThere: false },
  ] as const)(
    'AS-70: nobody is asked, and the outcome is the same: $mode, Endpoints $isThere',
    async ({ mode, isAddressable, isThere }) => {
      const client = createScrapeClient(systemClock);
      clients.push(client);
      const deps = {
        client,
        pods: pods(0),
        endpoints: endpoints(isThere),
        mesh: { mode, podAddressability: false },
        random: () => 0.5,
      };
      const asked = await scrapeRevision(target(isAddressable), 60_000, NOW_MS, deps);
      expect(outcomeWithoutPods(target(isAddressable), deps)).toEqual(asked);
    },
  );

  it('AS-67, AS-68: with pods, or through the Service, it has to be asked', () => {
    const mesh = { mode: 'auto', podAddressability: false } as const;
    const common = { endpoints: endpoints(true), mesh };
    expect(outcomeWithoutPods(target(true), { ...common, pods: pods(1) })).toBeNull();
    expect(outcomeWithoutPods(target(false), { ...common, pods: pods(0) })).toBeNull();
    const enabled = { ...common, mesh: { mode: 'enabled', podAddressability: true } as const };
    expect(outcomeWithoutPods(target(true), { ...enabled, pods: pods(0) })).toBeNull();
  });
});
