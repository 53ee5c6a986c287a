// Scraping through a mesh: a Service that answers with whichever pod it likes, and when the scraper
// turns to it.

import { describe, expect, it } from 'vitest';
import type { Endpoints } from '../api/core.ts';
import type { Lister } from '../kube/types.ts';
import { emptyStat, type Stat } from '../wire/stat.ts';
import type { PodCounter } from './pod-counter.ts';
import type { ScrapeClient, ScrapeResult } from './scrape-client.ts';
import { scrapeRevision } from './scraper.ts';
import { scrapeService } from './service-scraper.ts';

const TARGET = { key: 'default/hello', namespace: 'default', serviceName: 'hello-private' };
const target = () => ({ ...TARGET, isAddressable: true });

const stat = (podName: string, concurrency: number, uptimeSeconds = 100): Stat => ({
  ...emptyStat(podName),
  averageConcurrentRequests: concurrency,
  processUptime: uptimeSeconds,
});

/** Answers in turn; the last one for ever. `asked` counts requests by host and port. */
function mesh(answers: (Stat | string)[], podStatus = 503) {
  const asked: string[] = [];
  const client: ScrapeClient = {
    scrape: async (): Promise<ScrapeResult> => ({ stat: null, status: podStatus, problem: 'no' }),
    scrapeOnce: async (host, port): Promise<ScrapeResult> => {
      const next = answers[Math.min(asked.length, answers.length - 1)]!;
      asked.push(`${host}:${port}`);
      if (typeof next === 'string') return { stat: null, status: 500, problem: next };
      return { stat: next };
    },
    close: () => undefined,
  };
  return { client, asked };
}

describe('scraping through the Service', () => {
  it('AS-75: asks until it has met as many different pods as the sample wants', async () => {
    const { client, asked } = mesh([stat('a', 2), stat('a', 2), stat('b', 4), stat('c', 6)]);
    const outcome = await scrapeService(target(), 3, 60_000, client);
    expect(outcome.failure).toBeNull();
    expect(outcome.stat?.averageConcurrentRequests).toBe(12);
    expect(asked[0]).toBe('hello-private.default:9090');
  });

  it('AS-76: young pods fill up behind the old ones', async () => {
    const { client } = mesh([stat('a', 2), stat('b', 40, 1), stat('c', 60, 1), stat('b', 40, 1)]);
    const outcome = await scrapeService(target(), 2, 60_000, client);
    // One old pod and the first young one, brought up to two.
    expect(outcome.stat?.averageConcurrentRequests).toBe(42);
  });

  it('AS-76: nothing but pods met before is a failure of its own', async () => {
    const { client } = mesh([stat('a', 2)]);
    expect((await scrapeService(target(), 3, 60_000, client)).failure).toEqual({
      condition: 'DidNotReceiveStat',
      message: 'unsuccessful scrape, sampleSize=3: did not receive stat from an unscraped pod',
    });
  });

  it('AS-75, AS-76: a worker gives up after ten tries and says why', async () => {
    const { client, asked } = mesh(['connection refused']);
    expect((await scrapeService(target(), 1, 60_000, client)).failure).toEqual({
      condition: 'CollectionFailed',
      message: 'unsuccessful scrape, sampleSize=1: connection refused',
    });
    expect(asked).toHaveLength(10);
  });

  it('AS-75, AS-76: no ready pod is nothing to read', async () => {
    const { client } = mesh([stat('a', 1)]);
    expect(await scrapeService(target(), 0, 60_000, client)).toEqual({ stat: null, failure: null });
  });
});

describe('choosing between pods and Service', () => {
  const pod = {
    metadata: { name: 'p', namespace: 'default' },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
  const endpoints = {
    subsets: [
      {
        addresses: [{ ip: '127.0.0.1', targetRef: { kind: 'Pod', name: 'p' } }],
        ports: [{ name: 'http-autometric', port: 9090 }],
      },
    ],
  } as unknown as Endpoints;
  const deps = (client: ScrapeClient, mode: 'auto' | 'enabled' | 'disabled', reach = false) => ({
    client,
    pods: { pods: () => [pod], ready: () => 1 } as unknown as PodCounter,
    endpoints: { getByKey: () => endpoints } as unknown as Lister<Endpoints>,
    mesh: { mode, podAddressability: reach },
    random: () => 0.5,
  });

  it('AS-68: auto turns to the Service when pods look behind a mesh, and stays there', async () => {
    const { client, asked } = mesh([stat('a', 7)]);
    const revision = target();
    const outcome = await scrapeRevision(revision, 60_000, 0, deps(client, 'auto'));
    expect(outcome.stat?.averageConcurrentRequests).toBe(7);
    expect(revision.isAddressable).toBe(false);
    await scrapeRevision(revision, 60_000, 0, deps(client, 'auto'));
    expect(asked).toHaveLength(2);
  });

  it('AS-68: pods declared addressable are never asked through the Service', async () => {
    const { client, asked } = mesh([stat('a', 7)]);
    const outcome = await scrapeRevision(target(), 60_000, 0, deps(client, 'auto', true));
    expect(outcome.failure?.message).toBe('all pod scrapes returned 503 error');
    expect(asked).toEqual([]);
  });

  it('AS-67: enabled asks the Service only, disabled the pods only', async () => {
    const { client, asked } = mesh([stat('a', 7)]);
    const through = await scrapeRevision(target(), 60_000, 0, deps(client, 'enabled'));
    expect(through.stat?.averageConcurrentRequests).toBe(7);
    const direct = await scrapeRevision(target(), 60_000, 0, deps(client, 'disabled'));
    expect(direct.failure?.message).toBe('all pod scrapes returned 503 error');
    expect(asked).toHaveLength(1);
  });
});
