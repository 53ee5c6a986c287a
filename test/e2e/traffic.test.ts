// Traffic splits, tags, rolling in a new revision, and a revision that does not start.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KnativeService } from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  type Pilotlight,
  startPilotlight,
  until,
} from '../support/pilotlight.ts';

const KEY = { namespace: 'default', name: 'split' };
const HOST = 'split.default.localhost';
const KEEP_ONE = { 'autoscaling.knative.dev/min-scale': '1' };
let pilotlight: Pilotlight;

async function whenReady(check: (service: AnyObject) => boolean = () => true): Promise<AnyObject> {
  return until(
    'the service to be Ready',
    async () => {
      const service = await pilotlight.client.get<AnyObject>(KnativeService, KEY);
      const isCurrent = service.status?.observedGeneration === service.metadata.generation;
      const isReady = isCurrent && condition(service, 'Ready').status === 'True';
      return isReady && check(service) ? service : undefined;
    },
    60_000,
    () => pilotlight.tail(),
  );
}

function patch(spec: unknown): Promise<AnyObject> {
  return pilotlight.client.patch<AnyObject>(KnativeService, KEY, { type: 'merge', body: { spec } });
}

function template(env: Record<string, string>, extra: Parameters<typeof exampleService>[2] = {}) {
  const service = exampleService('split', 'hello', { annotations: KEEP_ONE, env, ...extra });
  return service.spec?.['template'];
}

beforeAll(async () => {
  pilotlight = await startPilotlight();
  await pilotlight.client.create(
    KnativeService,
    exampleService('split', 'hello', { annotations: KEEP_ONE, env: { TARGET: 'one' } }),
  );
  await whenReady();
});
afterAll(async () => {
  await pilotlight?.[Symbol.asyncDispose]();
});

describe('traffic', () => {
  it('a new revision rolls in under load without a failed request', async () => {
    const load = pilotlight.load({ host: HOST, path: '/', connections: 10, seconds: 12 });
    await patch({ template: template({ TARGET: 'two' }) });
    await whenReady((service) => service.status?.['latestReadyRevisionName'] === 'split-00002');
    await until('the new revision to answer', async () =>
      (await pilotlight.get(HOST)).body.includes('split-00002'),
    );
    const result = await load;
    expect({ non2xx: result.non2xx, errors: result.errors, timeouts: result.timeouts }).toEqual({
      non2xx: 0,
      errors: 0,
      timeouts: 0,
    });
    expect(result['2xx']).toBeGreaterThan(100);
  });

  it('a 90/10 split over 10,000 requests stays within 4.5 standard deviations', async () => {
    await patch({
      traffic: [
        { revisionName: 'split-00001', percent: 90, latestRevision: false },
        { revisionName: 'split-00002', percent: 10, latestRevision: false, tag: 'next' },
      ],
    });
    await whenReady();
    const total = 10_000;
    let second = 0;
    let failed = 0;
    const lane = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        const answer = await pilotlight.get(HOST);
        if (answer.status !== 200) failed += 1;
        else if (answer.body.includes('split-00002')) second += 1;
      }
    };
    await Promise.all(Array.from({ length: 50 }, () => lane(total / 50)));
    expect(failed).toBe(0);
    const deviation = Math.sqrt(total * 0.1 * 0.9);
    expect(Math.abs(second - total * 0.1)).toBeLessThan(4.5 * deviation);
  });

  it('a tag URL reaches its revision only', async () => {
    const service = await pilotlight.client.get<AnyObject>(KnativeService, KEY);
    const traffic = service.status?.['traffic'] as { tag?: string; url?: string }[];
    const url = new URL(traffic.find((target) => target.tag === 'next')?.url ?? '');
    expect(url.host).toBe('next-split.default.localhost');
    for (let index = 0; index < 200; index += 1) {
      expect((await pilotlight.get(url.host)).body).toContain('split-00002');
    }
  });

  it('a revision that crashes leaves the old one serving and says why (CP-532)', async () => {
    await patch({ traffic: [{ latestRevision: true, percent: 100 }] });
    await whenReady();
    const crashing = [process.execPath, '-e', 'console.error("no database"); process.exit(3)'];
    await patch({ template: template({}, { command: crashing }) });
    const service = await until(
      'the failure to be reported',
      async () => {
        const found = await pilotlight.client.get<AnyObject>(KnativeService, KEY);
        return condition(found, 'ConfigurationsReady').status === 'False' ? found : undefined;
      },
      60_000,
      () => pilotlight.tail(),
    );
    const { message, reason } = condition(service, 'ConfigurationsReady');
    expect(reason).toBe('RevisionFailed');
    expect(message).toContain('split-00003');
    expect(message).toContain('no database');
    const answer = await pilotlight.get(HOST);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('split-00002');
  });

  it('an image nobody can resolve is a condition that says how to map it', async () => {
    const unknown = template({}, { command: [], image: 'ghcr.io/acme/unknown' });
    await patch({ template: unknown });
    const service = await until(
      'the failure to be reported',
      async () => {
        const found = await pilotlight.client.get<AnyObject>(KnativeService, KEY);
        const { message } = condition(found, 'ConfigurationsReady');
        return message?.includes('ghcr.io/acme/unknown') ? found : undefined;
      },
      60_000,
      () => pilotlight.tail(),
    );
    expect(condition(service, 'ConfigurationsReady').message).toContain('--image unknown=');
    expect((await pilotlight.get(HOST)).status).toBe(200);
  });
});
