// Two autoscalers on one API with real sockets between them: who decides, where stats go, and what
// the second knows when the first is gone. Leases run on a fake clock.

import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { CoreService, EndpointSlice, Lease } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import type { InformerFactory, KubeClient } from '../../kube/types.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { emptyStat, encodeStatMessages } from '../../wire/stat.ts';
import { StatClient } from '../../wire/stat-client.ts';
import { Autoscaler, type AutoscalerGroup } from '../autoscaler.ts';
import { type StatServer, startStatServer } from '../stat-server.ts';
import { NAMESPACE, World } from '../testing/world.ts';
import { LeasedOwnership } from './ownership.ts';

const SYSTEM = 'knative-serving';
const BUCKET = 'autoscaler-bucket-00-of-01';
const KEY = `${NAMESPACE}/hello`;
const timings = { leaseDurationMs: 6000, renewDeadlineMs: 4000, retryPeriodMs: 1000 };
const random = (): number => 0.5;

interface Member {
  autoscaler: Autoscaler;
  ownership: LeasedOwnership;
  server: StatServer;
}

/** Members that no longer reach the API. */
const isCutOff = new Set<string>();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  isCutOff.clear();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The client of a process that may lose the API. */
function cutOff(client: KubeClient, isCut: () => boolean): KubeClient {
  return new Proxy(client, {
    get(target, name) {
      if (isCut()) return () => Promise.reject(new Error('the API cannot be reached'));
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** A port that is free on both addresses of the group. */
async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await new Promise<number>((resolve) =>
    probe.listen(0, '127.0.0.1', () => resolve((probe.address() as { port: number }).port)),
  );
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function groupOf(
  world: World,
  informers: InformerFactory,
  podName: string,
  podIp: string,
  port: number,
): AutoscalerGroup & { ownership: LeasedOwnership } {
  const ownership = new LeasedOwnership({
    client: cutOff(world.client, () => isCutOff.has(podName)),
    informers,
    clock: world.clock,
    logger: silentLogger,
    random,
    systemNamespace: SYSTEM,
    podName,
    podIp,
    bucketCount: 1,
    timings,
  });
  const onFatal = (error: unknown): never => {
    throw error;
  };
  return { ownership, podIp, port, onFatal };
}

async function serve(world: World, autoscaler: Autoscaler, host: string, port: number) {
  const server = await startStatServer({
    host,
    port,
    clock: world.clock,
    logger: silentLogger,
    onFrame: (bytes) => autoscaler.statFrame(bytes),
    decisions: (key) => autoscaler.decisions(key),
    overview: () => autoscaler.overview(),
    ownsBucket: (bucket) => autoscaler.ownsBucket(bucket),
    subscribe: (bucket, sink) => autoscaler.subscribe(bucket, sink),
  });
  return server;
}

/** `first` leads, `second` follows with a complete copy. */
async function startGroup(): Promise<{ world: World; first: Member; second: Member }> {
  const port = await freePort();
  let firstOwnership: LeasedOwnership | null = null;
  const world = await World.start({}, (made) => {
    const group = groupOf(made, made.informers, 'as-0', '127.0.0.2', port);
    firstOwnership = group.ownership;
    return group;
  });
  const firstServer = await serve(world, world.autoscaler, '127.0.0.2', port);
  const first = {
    autoscaler: world.autoscaler,
    ownership: firstOwnership!,
    server: firstServer,
  };
  await world.until('the first to lead', () => first.ownership.isOwned(BUCKET));
  const informers = createInformerFactory(world.client, {
    clock: world.clock,
    logger: silentLogger,
    random,
  });
  const group = groupOf(world, informers, 'as-1', '127.0.0.3', port);
  const autoscaler = new Autoscaler({
    client: world.client,
    informers,
    clock: world.clock,
    logger: silentLogger,
    random,
    systemNamespace: SYSTEM,
    clusterDomain: 'cluster.local',
    resolveService: () => null,
    pool: null,
    group,
  });
  await informers.start();
  autoscaler.start();
  const server = await serve(world, autoscaler, '127.0.0.3', port);
  cleanups.push(
    () => world.stop(),
    () => firstServer.stop(),
    () => informers.stop(),
    () => autoscaler.stop(),
    () => server.stop(),
  );
  return { world, first, second: { autoscaler, ownership: group.ownership, server } };
}

const decisionsOf = (member: Member) => JSON.parse(member.autoscaler.decisions(KEY) ?? 'null');

describe('a group of autoscalers', () => {
  it('AS-168, AS-172: the holder of the Lease decides and can be found', async () => {
    const { world, first, second } = await startGroup();
    await world.createRevision('hello');
    await world.seconds(4);
    expect(decisionsOf(first)).not.toBeNull();
    expect(decisionsOf(second)).toBeNull();
    const key = { namespace: SYSTEM, name: BUCKET };
    const lease = await world.client.get<KubeObject & { spec: object }>(Lease, key);
    expect(lease.spec).toMatchObject({ holderIdentity: 'as-0_127.0.0.2' });
    expect(await world.client.get(CoreService, key)).toBeDefined();
    expect(await world.client.get(EndpointSlice, key)).toMatchObject({
      endpoints: [{ addresses: ['127.0.0.2'] }],
    });
  });

  it('AS-173: a stat pushed to the wrong one reaches the owner', async () => {
    const { world, first, second } = await startGroup();
    await world.createRevision('hello');
    await world.seconds(2);
    const message = {
      namespace: NAMESPACE,
      name: 'hello',
      stat: { ...emptyStat('activator-0'), averageConcurrentRequests: 500, requestCount: 1 },
    };
    const client = new StatClient({
      url: () => `ws://127.0.0.3:${second.server.port}`,
      clock: world.clock,
      random,
      logger: silentLogger,
    });
    cleanups.push(() => client.stop());
    client.start();
    await world.until('the connection', () => client.isConnected);
    client.send(encodeStatMessages([message]));
    await world.until('the stat at the owner', () => {
      world.clock.advance(100);
      return JSON.parse(first.autoscaler.overview()).revisions[0]?.concurrency > 0;
    });
  });

  it('AS-178, improved on: the next owner goes on from a copy of the windows', async () => {
    const { world, first, second } = await startGroup();
    await world.createRevision('hello', {
      annotations: {
        'autoscaling.knative.dev/target': '10',
        'autoscaling.knative.dev/window': '30s',
      },
    });
    world.load.set('hello', 40);
    await world.seconds(25);
    const before = decisionsOf(first);
    expect(before.recommendation).toBeGreaterThan(3);
    const replicas = await world.replicas('hello');
    await world.until('the copy', () => {
      world.clock.advance(100);
      return second.autoscaler.isWarm(BUCKET);
    });
    // As a crash leaves it: the Lease is not given back, the sockets are cut.
    isCutOff.add('as-0');
    await first.server.stop();
    world.load.clear();
    await world.until('the second to lead', async () => {
      world.clock.advance(250);
      await world.turns(2);
      return second.ownership.isOwned(BUCKET);
    });
    await world.until('the second to have taken over', () => decisionsOf(second) !== null);
    const after = decisionsOf(second);
    expect(after.recommendation).toBe(before.recommendation);
    expect(after.panic.since).toBe(before.panic.since);
    expect(await world.replicas('hello')).toBe(replicas);
    expect(decisionsOf(first)).toBeNull();
  });

  it('AS-168: an orderly stop hands over at once', async () => {
    const { world, first, second } = await startGroup();
    await world.seconds(2);
    await first.ownership.stop();
    await world.until('the second to lead', async () => {
      world.clock.advance(250);
      await world.turns(2);
      return second.ownership.isOwned(BUCKET);
    });
    expect(first.ownership.isOwned(BUCKET)).toBe(false);
  });

  it('AS-180: who asks for a bucket gets it only from its owner', async () => {
    const { first, second } = await startGroup();
    const status = async (member: Member, host: string): Promise<number> => {
      const { request } = await import('node:http');
      return new Promise((resolve, reject) => {
        const asked = request({
          host,
          port: member.server.port,
          headers: {
            host: `${BUCKET}.${SYSTEM}.svc.cluster.local`,
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
          },
        });
        asked.on('upgrade', (answer, socket) => {
          socket.destroy();
          resolve(answer.statusCode ?? 0);
        });
        asked.on('response', (answer) => resolve(answer.statusCode ?? 0));
        asked.on('error', reject);
        asked.end();
      });
    };
    expect(await status(first, '127.0.0.2')).toBe(101);
    expect(await status(second, '127.0.0.3')).toBe(200);
  });
});
