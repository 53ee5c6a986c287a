// Concurrency decides the number of pods, by the formulas of AS-103 and AS-43 to AS-45.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scale } from '../../bench/torture/scale.ts';
import { BRIEF } from '../../bench/torture/scenario.ts';
import { KnativeService } from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  startPilotlight,
  until,
} from '../support/pilotlight.ts';

let pilotlight: Pilotlight;

async function deploy(service: AnyObject): Promise<string> {
  await pilotlight.client.create(KnativeService, service);
  const { name } = service.metadata;
  await until(
    `${name} to be Ready`,
    async () =>
      condition(
        await pilotlight.client.get<AnyObject>(KnativeService, { namespace: 'default', name }),
        'Ready',
      ).status === 'True',
    30_000,
    () => pilotlight.tail(),
  );
  return `${name}.default.localhost`;
}

async function remove(name: string): Promise<void> {
  await pilotlight.client.delete(KnativeService, { namespace: 'default', name });
  await until(
    `pods of ${name} to go`,
    async () => (await pilotlight.pods(name)).length === 0,
    60_000,
  );
}

/** Runs the load and returns the pod count seen once the stable window is full of it. */
async function podsUnder(
  name: string,
  load: { path: string; connections: number; overallRate?: number; seconds: number },
): Promise<{ settled: number; failures: number; answers: number; why: string }> {
  const running = pilotlight.load({ host: `${name}.default.localhost`, ...load });
  const counts: number[] = [];
  let isDone = false;
  const explained = explainPanic(name);
  const sampling = until(
    'the load to end',
    async () => {
      counts.push((await pilotlight.pods(name)).length);
      return isDone;
    },
    120_000,
  );
  const result = await running;
  isDone = true;
  await sampling;
  const why = await explained;
  const settled = counts.slice(Math.floor(counts.length * 0.75));
  return {
    settled: settled.sort((a, b) => a - b)[Math.floor(settled.length / 2)] ?? 0,
    failures: result.non2xx + result.errors + result.timeouts,
    answers: result['2xx'],
    why,
  };
}

/** What `why` says once the revision panics. */
function explainPanic(name: string): Promise<string> {
  return until(
    `${name} to panic`,
    async () => {
      const text = await pilotlight.command('why', name);
      return text.includes('in panic since') ? text : null;
    },
    60_000,
  );
}

beforeAll(async () => {
  pilotlight = await startPilotlight();
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
});

describe('scaling on concurrency', () => {
  it('gives 8 pods to 50 concurrent requests at target 10, loses none, returns to zero', async () => {
    await deploy(
      exampleService('fifty', 'sleep', {
        annotations: {
          'autoscaling.knative.dev/target': '10',
          // A panic window of one second reads nothing until its stat is in (AS-83).
          'autoscaling.knative.dev/panic-window-percentage': '50',
        },
      }),
    );
    // Sleeps long, so that a slow client's own time counts for little of the concurrency.
    const seen = await podsUnder('fifty', { path: '/?ms=300', connections: 50, seconds: 20 });
    expect(seen.failures).toBe(0);
    expect(seen.answers).toBeGreaterThan(1000);
    expect(seen.why).toMatch(/in panic since \d{4}-.* at least 2 x what the ready pods aim for/);
    expect(seen.why).toContain('default/fifty-00001: wants');
    expect(await pilotlight.command('top', '--once')).toContain('default/fifty-00001');
    // 50 / (10 * 0.7) = 7.14; the panic window may hold one or two more.
    expect(seen.settled).toBeGreaterThanOrEqual(7);
    expect(seen.settled).toBeLessThanOrEqual(10);
    await until('zero', async () => (await pilotlight.pods('fifty')).length === 0, 60_000);
    await remove('fifty');
  });

  it('never lets more than containerConcurrency requests into one pod (QP-27)', async () => {
    await deploy(
      exampleService('single', 'sleep', {
        containerConcurrency: 1,
        annotations: { 'autoscaling.knative.dev/max-scale': '3' },
      }),
    );
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => pilotlight.get('single.default.localhost', '/?ms=30')),
    );
    expect(answers.map((answer) => answer.status).filter((status) => status !== 200)).toEqual([]);
    const highest = Math.max(
      ...answers.map((answer) => Number(JSON.parse(answer.body).concurrency)),
    );
    expect(highest).toBe(1);
    await remove('single');
  });
});

it('AS-107, AS-111, AS-134: a spike of 10 x panics, takes nothing away, returns to zero', async () => {
  const rows = await scale.run(BRIEF);
  expect(rows.filter(({ ok }) => !ok)).toEqual([]);
  expect(rows.find(({ name }) => name === 'concurrency')?.pods).toBe(5);
});
