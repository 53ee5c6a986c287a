// The main job: a service wakes from zero for its first request, serves, and goes back to zero.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KnativeService, PodAutoscaler, Revision } from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  startPilotlight,
  until,
  wakesIn,
} from '../support/pilotlight.ts';

const HOST = 'hello.default.localhost';
let pilotlight: Pilotlight;

async function becomesReady(name: string): Promise<AnyObject> {
  return until(
    `${name} to be Ready`,
    async () => {
      const service = await pilotlight.client.get<AnyObject>(KnativeService, {
        namespace: 'default',
        name,
      });
      const isCurrent = service.status?.observedGeneration === service.metadata.generation;
      return isCurrent && condition(service, 'Ready').status === 'True' ? service : undefined;
    },
    30_000,
    () => pilotlight.tail(),
  );
}

async function becomesEmpty(name: string): Promise<void> {
  await until(
    `${name} to have no pods`,
    async () => (await pilotlight.pods(name)).length === 0,
    60_000,
    () => pilotlight.tail(),
  );
}

beforeAll(async () => {
  pilotlight = await startPilotlight();
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
});

describe('a service', () => {
  it('becomes ready with a URL and answers', async () => {
    await pilotlight.client.create(KnativeService, exampleService('hello', 'hello'));
    const service = await becomesReady('hello');
    expect(service.status?.['url']).toBe(`http://${HOST}`);
    const answer = await pilotlight.get(HOST);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('hello-00001');
  });

  it('goes to zero when idle and stays Ready with Active False NoTraffic (CP-195)', async () => {
    await becomesEmpty('hello');
    const revision = await until('the revision to be inactive', async () => {
      const found = await pilotlight.client.get<AnyObject>(Revision, {
        namespace: 'default',
        name: 'hello-00001',
      });
      return condition(found, 'Active').status === 'False' ? found : undefined;
    });
    expect(condition(revision, 'Active').reason).toBe('NoTraffic');
    expect(condition(revision, 'Ready').status).toBe('True');
    const autoscaler = await pilotlight.client.get<AnyObject>(PodAutoscaler, {
      namespace: 'default',
      name: 'hello-00001',
    });
    expect(autoscaler.status?.['desiredScale']).toBe(0);
  });

  it('holds the first request at zero, wakes, and logs every phase of the wake', async () => {
    const before = pilotlight.lines.length;
    const answer = await pilotlight.get(HOST);
    expect(answer.status).toBe(200);
    const wake = await until('the wake line', () => wakesIn(pilotlight.lines.slice(before))[0]);
    const order = [
      'queued',
      'reported',
      'decided',
      'scaled',
      'scheduled',
      'started',
      'probed',
      'first byte',
    ];
    expect([...wake.keys()]).toEqual(order);
    // Each role reads the clock itself; between processes only cause and effect are in order.
    const at = (phase: string) => wake.get(phase) ?? Number.NaN;
    expect(at('queued')).toBe(0);
    const phases = JSON.stringify([...wake]);
    expect(at('decided'), phases).toBeGreaterThan(at('queued'));
    expect(at('scaled'), phases).toBeGreaterThanOrEqual(at('decided'));
    expect(at('probed'), phases).toBeGreaterThan(at('started'));
    expect(at('first byte'), phases).toBeGreaterThanOrEqual(at('probed'));
  });

  it('serves each of 500 connections opened at zero exactly once', async () => {
    await becomesEmpty('hello');
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) => pilotlight.get(HOST, `/?request=${index}`)),
    );
    expect(answers.filter((answer) => answer.status !== 200)).toEqual([]);
    // The example numbers its answers per process: a request run twice would leave a gap.
    const highest = new Map<string, number>();
    const seen = new Set<string>();
    for (const answer of answers) {
      const pid = /pid (\d+)/.exec(answer.body)?.[1] ?? '';
      const number = Number(answer.headers['x-served']);
      seen.add(`${pid}/${number}`);
      highest.set(pid, Math.max(highest.get(pid) ?? 0, number));
    }
    expect(seen.size).toBe(500);
    expect([...highest.values()].reduce((sum, value) => sum + value, 0)).toBe(500);
  });
});
