import { afterEach, describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

let world: World;
afterEach(() => world.stop());

const P = 'autoscaling.knative.dev/';

describe('a new revision', () => {
  it('AS-2, AS-118 to AS-122, AS-124: gets its SKS, Decider and Metric, and becomes active', async () => {
    world = await World.start();
    await world.createRevision('hello');
    await world.seconds(1);
    const pa = await world.pa('hello');
    expect(pa.status).toMatchObject({
      serviceName: 'hello',
      metricsServiceName: 'hello-private',
      actualScale: 1,
    });
    expect(await world.condition('hello', 'Ready')).toBe('True');
    expect(await world.condition('hello', 'ScaleTargetInitialized')).toBe('True');
    const sks = await world.sks('hello');
    expect(sks.spec).toEqual({
      mode: 'Proxy',
      numActivators: 4,
      objectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'hello-deployment' },
      protocolType: 'http1',
    });
    expect(sks.metadata.annotations).not.toHaveProperty(`${P}metric`);
  });

  it('AS-127: an initial scale above 1 is reached before anything else counts', async () => {
    world = await World.start();
    world.podStartMs = 3000;
    await world.createRevision('hello', { annotations: { [`${P}initial-scale`]: '3' } });
    await world.seconds(1);
    expect(await world.replicas('hello')).toBe(3);
    expect(await world.condition('hello', 'Active')).toBe('Unknown Queued');
    await world.seconds(4);
    expect(await world.condition('hello', 'Active')).toBe('True');
  });

  it('AS-156: with initial scale 0 it is initialised at once, without traffic', async () => {
    world = await World.start({ 'allow-zero-initial-scale': 'true' });
    const annotations = { [`${P}initial-scale`]: '0' };
    await world.createRevision('hello', { annotations, replicas: 0 });
    await world.seconds(1);
    expect(await world.condition('hello', 'ScaleTargetInitialized')).toBe('True');
    expect(await world.condition('hello', 'Active')).toBe('False NoTraffic');
    expect(await world.replicas('hello')).toBe(0);
  });
});

describe('scaling out', () => {
  it.each<[string, Record<string, string>, number, number]>([
    ['50 concurrent, target 10 at 70 %', { [`${P}target`]: '10' }, 50, 8],
    [
      '50 concurrent, target 10 at 100 %',
      { [`${P}target`]: '10', [`${P}target-utilization-percentage`]: '100' },
      50,
      5,
    ],
    ['175 concurrent, defaults', {}, 175, 3],
    ['175 concurrent at 100 %', { [`${P}target-utilization-percentage`]: '100' }, 175, 2],
    ['max-scale binds', { [`${P}target`]: '10', [`${P}max-scale`]: '4' }, 50, 4],
    ['min-scale binds', { [`${P}min-scale`]: '6' }, 1, 6],
  ])('AS-103: %s', async (_name, annotations, concurrency, replicas) => {
    world = await World.start();
    await world.createRevision('hello', { annotations });
    world.load.set('hello', concurrency);
    await world.seconds(8);
    expect(await world.replicas('hello')).toBe(replicas);
    expect((await world.pa('hello')).status?.desiredScale).toBe(replicas);
  });

  it('AS-150: enough spare capacity takes the activator out of the path', async () => {
    world = await World.start();
    await world.createRevision('hello', { annotations: { [`${P}min-scale`]: '3' } });
    world.load.set('hello', 1);
    await world.seconds(8);
    expect((await world.sks('hello')).spec.mode).toBe('Serve');
    world.load.set('hello', 200);
    await world.seconds(4);
    expect((await world.sks('hello')).spec.mode).toBe('Proxy');
  });
});

describe('to zero and back', () => {
  const toZero = async (): Promise<void> => {
    world = await World.start({ 'stable-window': '15s', 'scale-to-zero-grace-period': '5s' });
    await world.createRevision('hello');
    world.load.set('hello', 1);
    await world.seconds(20);
    expect(await world.replicas('hello')).toBe(1);
    world.load.set('hello', 0);
    await world.seconds(1);
    world.load.delete('hello');
  };

  it('AS-139: about a stable window and the recheck after the last request', async () => {
    await toZero();
    let elapsed = 1;
    for (; elapsed < 60 && (await world.replicas('hello')) > 0; elapsed += 1) {
      await world.seconds(1);
      await world.turns(50);
    }
    expect(elapsed).toBeGreaterThanOrEqual(15);
    expect(elapsed).toBeLessThanOrEqual(25);
    expect(await world.condition('hello', 'Active')).toBe('False NoTraffic');
    expect((await world.pa('hello')).status).toMatchObject({ desiredScale: 0 });
    expect(world.probeCount).toBeGreaterThan(0);
  });

  it('AS-133: never while the probe is not answered by an activator', async () => {
    await toZero();
    world.probeAnswer = 'queue';
    await world.seconds(60);
    expect(await world.replicas('hello')).toBe(1);
    world.probeAnswer = 'activator';
    for (let second = 0; second < 10; second += 1) {
      await world.seconds(1);
      await world.turns(50);
    }
    expect(await world.replicas('hello')).toBe(0);
  });

  it('AS-154, AS-155: the first stat of a revision at zero scales it in the same turn', async () => {
    await toZero();
    for (let second = 0; second < 40; second += 1) {
      await world.seconds(1);
      await world.turns(50);
    }
    expect(await world.replicas('hello')).toBe(0);
    world.podStartMs = 500;
    world.client.calls.length = 0;
    world.push('hello', 1, 1);
    const scaled = world.client.calls.find((call) => call.subresource === 'scale');
    expect(scaled?.body).toEqual([{ op: 'add', path: '/spec/replicas', value: 1 }]);
    await world.settle();
    // What is said of it follows a tenth of a second behind, or with the first ready pod.
    expect(await world.condition('hello', 'Active')).toBe('False NoTraffic');
    world.clock.advance(100);
    await world.settle();
    expect(await world.condition('hello', 'Active')).toBe('Unknown Queued');
    const phases = world.logs.filter((line) => line.message === 'wake phase');
    expect(phases.slice(-2).map((line) => line.phase)).toEqual(['decided', 'scaled']);
    await world.seconds(2);
    expect(await world.condition('hello', 'Active')).toBe('True');
  });

  it('AS-130: stays at one where scale to zero is off', async () => {
    world = await World.start({ 'stable-window': '6s', 'enable-scale-to-zero': 'false' });
    await world.createRevision('hello');
    world.load.set('hello', 0);
    await world.seconds(30);
    expect(await world.replicas('hello')).toBe(1);
  });

  it('AS-134: keeps the last pod for the retention period', async () => {
    world = await World.start({ 'stable-window': '6s', 'scale-to-zero-grace-period': '1s' });
    await world.createRevision('hello', {
      annotations: { [`${P}scale-to-zero-pod-retention-period`]: '30s' },
    });
    world.load.set('hello', 0);
    await world.seconds(30);
    expect(await world.replicas('hello')).toBe(1);
    for (let second = 0; second < 15; second += 1) {
      await world.seconds(1);
      await world.turns(50);
    }
    expect(await world.replicas('hello')).toBe(0);
  });
});
