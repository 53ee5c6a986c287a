import { afterEach, describe, expect, it } from 'vitest';
import type { Metric, PodAutoscaler } from '../api/autoscaling.ts';
import { DEFAULT_AUTOSCALER_CONFIG } from '../api/config/autoscaler.ts';
import * as kinds from '../api/kinds.ts';
import type { ServerlessService } from '../api/networking.ts';
import { ApiError } from '../kube/types.ts';
import { NAMESPACE, World } from './testing/world.ts';

const P = 'autoscaling.knative.dev/';
let world: World;
afterEach(() => world.stop());

const metric = (name = 'hello'): Promise<Metric> =>
  world.client.get<Metric>(kinds.Metric, { namespace: NAMESPACE, name });
const events = async (): Promise<string[]> =>
  (await world.client.list(kinds.Event)).items.map((event) => {
    const { type, reason, message } = event as unknown as Record<string, string>;
    return `${type} ${reason} ${message}`;
  });

describe('children of a PodAutoscaler', () => {
  it('AS-52: the Metric carries windows in nanoseconds and where to scrape', async () => {
    world = await World.start();
    await world.createRevision('hello', { annotations: { [`${P}window`]: '30s' } });
    const made = await metric();
    expect(made.spec).toEqual({
      stableWindow: 30_000_000_000,
      panicWindow: 3_000_000_000,
      scrapeTarget: 'hello-private',
    });
    expect(made.metadata.annotations).toHaveProperty(`${P}window`, '30s');
    expect(made.metadata.ownerReferences?.[0]).toMatchObject({
      kind: 'PodAutoscaler',
      name: 'hello',
      controller: true,
    });
  });

  it('AS-52: with unlimited burst capacity nothing is scraped', async () => {
    world = await World.start();
    const annotations = { [`${P}target-burst-capacity`]: '-1' };
    await world.createRevision('hello', { annotations });
    expect((await metric()).spec.scrapeTarget).toBe('');
  });

  it('AS-11, AS-53, AS-98: a new config map reaches Metric, Decider and SKS', async () => {
    world = await World.start();
    await world.createRevision('hello');
    world.load.set('hello', 20);
    await world.seconds(3);
    await world.setConfig({ 'stable-window': '20s', 'activator-capacity': '1' });
    await world.settle();
    expect((await metric()).spec.stableWindow).toBe(20_000_000_000);
    expect((await world.sks('hello')).spec.numActivators).toBe(311);
    const decisions = JSON.parse(world.autoscaler.decisions(`${NAMESPACE}/hello`) ?? '{}');
    expect(decisions.stableWindowSeconds).toBe(20);
  });

  it('AS-11: an invalid config map is logged and changes nothing', async () => {
    world = await World.start({ 'stable-window': '20s' });
    await world.createRevision('hello');
    await world.setConfig({ 'stable-window': '1s' });
    await world.settle();
    expect((await metric()).spec.stableWindow).toBe(20_000_000_000);
    expect(world.logs.map((line) => line.message)).toContain(
      'invalid config map, keeping the last one',
    );
    expect(DEFAULT_AUTOSCALER_CONFIG.stableWindowMs).toBe(60_000);
  });

  it.each([
    ['ServerlessService', 'error reconciling SKS: PA: hello does not own SKS: hello'],
    ['Metric', 'error reconciling Metric: PA: hello does not own Metric: hello'],
  ])('AS-144: a %s of somebody else is left alone and reported', async (kindName, message) => {
    world = await World.start();
    const kind = kindName === 'Metric' ? kinds.Metric : kinds.ServerlessService;
    await world.client.create(kind, {
      apiVersion: kinds.apiVersionOf(kind),
      kind: kindName,
      metadata: { name: 'hello', namespace: NAMESPACE },
      spec: {},
    } as unknown as Metric);
    await world.createRevision('hello');
    const active = (await world.pa('hello')).status?.conditions?.find(
      (one) => one.type === 'Active',
    );
    expect(active).toMatchObject({
      status: 'False',
      reason: 'NotOwned',
      message: `There is an existing ${kindName} "hello" that we do not own.`,
    });
    expect(await events()).toContain(`Warning InternalError ${message}`);
  });

  it('AS-123: a scale that cannot be written is an event, and is tried again', async () => {
    world = await World.start();
    let failures = 2;
    world.client.intercept = (call) => {
      if (call.subresource !== 'scale' || failures === 0) return;
      failures -= 1;
      const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' } as const;
      throw new ApiError({ ...status, code: 500, message: 'boom' });
    };
    await world.createRevision('hello', { annotations: { [`${P}min-scale`]: '2' } });
    await world.seconds(2);
    expect(await world.replicas('hello')).toBe(2);
    expect(await events()).toContain(
      'Warning InternalError error scaling target: failed to apply scale 2 to scale target ' +
        'hello-deployment: boom',
    );
  });

  it('AS-1, AS-35: a PodAutoscaler of another class is not touched', async () => {
    world = await World.start();
    const annotations = { [`${P}class`]: 'example.autoscaler.dev' };
    await world.createRevision('hello', { annotations });
    expect((await world.pa('hello')).status).toBeUndefined();
    expect(world.autoscaler.decisions(`${NAMESPACE}/hello`)).toBeNull();
  });

  it('AS-100, AS-125: gone with its PodAutoscaler', async () => {
    world = await World.start();
    await world.createRevision('hello');
    expect(world.autoscaler.decisions(`${NAMESPACE}/hello`)).not.toBeNull();
    await world.client.delete(kinds.PodAutoscaler, { namespace: NAMESPACE, name: 'hello' });
    await world.client.delete(kinds.Metric, { namespace: NAMESPACE, name: 'hello' });
    await world.settle();
    expect(world.autoscaler.decisions(`${NAMESPACE}/hello`)).toBeNull();
    world.push('hello', 1, 1);
  });

  it('AS-147: a settled revision is not written again', async () => {
    world = await World.start();
    await world.createRevision('hello');
    world.load.set('hello', 1);
    await world.seconds(6);
    world.client.calls.length = 0;
    await world.seconds(6);
    const writes = world.client.calls.filter(
      (call) => ['create', 'update', 'patch'].includes(call.verb) && call.kind !== kinds.Pod,
    );
    expect(writes).toEqual([]);
  });
});

describe('Metric status', () => {
  const condition = async (): Promise<unknown> => (await metric()).status?.conditions?.[0];

  it('AS-55: Ready without a failure, NoEndpoints while there is nothing to scrape', async () => {
    world = await World.start();
    await world.createRevision('hello');
    expect(await condition()).toMatchObject({ type: 'Ready', status: 'True' });
    await world.seconds(3);
    expect(await condition()).toMatchObject({
      status: 'Unknown',
      reason: 'NoEndpoints',
      message: 'failed to get endpoints',
    });
    await world.client.create(kinds.Endpoints, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'hello-private', namespace: NAMESPACE },
    });
    await world.seconds(3);
    expect(await condition()).toMatchObject({ type: 'Ready', status: 'True' });
  });

  it.each([
    [0, 'a window of 0 s is not within (0, 3600]'],
    [1e18, 'a window of 1000000000 s is not within (0, 3600]'],
  ])('a Metric with a window of %d ns costs a condition, not the memory', async (ns, text) => {
    world = await World.start();
    await world.client.create<Metric>(kinds.Metric, {
      apiVersion: kinds.apiVersionOf(kinds.Metric),
      kind: 'Metric',
      metadata: { name: 'hello', namespace: NAMESPACE },
      spec: { stableWindow: ns, panicWindow: 1e9, scrapeTarget: '' },
    });
    await world.settle();
    expect(await condition()).toMatchObject({
      reason: 'CollectionFailed',
      message: `Failed to reconcile metric collection: ${text}`,
    });
  });

  it('AS-65: a Metric without its revision label cannot be scraped', async () => {
    world = await World.start();
    await world.client.create<Metric>(kinds.Metric, {
      apiVersion: kinds.apiVersionOf(kinds.Metric),
      kind: 'Metric',
      metadata: { name: 'hello', namespace: NAMESPACE },
      spec: { stableWindow: 6e9, panicWindow: 1e9, scrapeTarget: 'x' },
    });
    await world.settle();
    expect(await condition()).toMatchObject({
      status: 'False',
      reason: 'CollectionFailed',
      message:
        'Failed to reconcile metric collection: label "serving.knative.dev/revision" not found ' +
        'or empty in Metric hello',
    });
  });
});

describe('SKS of a PodAutoscaler', () => {
  it('AS-121, AS-146: SKSReady says why the SKS is not ready', async () => {
    world = await World.start();
    world.podStartMs = 60_000;
    await world.createRevision('hello');
    const pa: PodAutoscaler = await world.pa('hello');
    expect(pa.status?.conditions?.find((one) => one.type === 'SKSReady')).toMatchObject({
      status: 'Unknown',
      reason: 'NotReady',
      message: 'not ready',
    });
    const sks: ServerlessService = await world.sks('hello');
    expect(sks.spec.mode).toBe('Proxy');
  });
});
