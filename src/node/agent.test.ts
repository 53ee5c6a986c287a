// The node agent against an API in memory and a runtime that only pretends: what it starts, what it
// reports, what it does about ends, deletions and an earlier life of its own.

import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.ts';
import { Pod as PodKind } from '../api/kinds.ts';
import { PORT_MAP_ANNOTATION } from '../api/labels.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { type NodeAgent, startNodeAgent } from './agent.ts';
import type {
  ContainerExit,
  ContainerRecord,
  ContainerRuntime,
  ContainerSignal,
  ContainerSpec,
} from './runtime.ts';

class FakeRuntime implements ContainerRuntime {
  readonly started: ContainerSpec[] = [];
  readonly signals: string[] = [];
  records: ContainerRecord[] = [];
  #listener: (id: string, exit: ContainerExit) => void = () => undefined;

  async start(spec: ContainerSpec) {
    this.started.push(spec);
    return { pid: null, startedAtMs: 1_700_000_000_000 };
  }
  signal(id: string, signal: ContainerSignal): void {
    this.signals.push(`${id} ${signal}`);
    this.exit(id, 143);
  }
  exec = async () => 0;
  list = async () => this.records;
  forget = () => undefined;
  onExit(listener: (id: string, exit: ContainerExit) => void): void {
    this.#listener = listener;
  }
  exit(id: string, exitCode: number, logTail = ''): void {
    this.#listener(id, { exitCode, signal: null, finishedAtMs: 1_700_000_001_000, logTail });
  }
}

function pod(name: string, more: Partial<Pod['spec']['containers'][number]> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'app', image: 'x', command: ['/bin/sh'], ...more }] },
  };
}

async function start(before: (client: MemoryClient, runtime: FakeRuntime) => Promise<void>) {
  const clock = new FakeClock();
  const client = new MemoryClient({ clock });
  const runtime = new FakeRuntime();
  await before(client, runtime);
  const deps = { clock, logger: silentLogger, random: () => 0.5 };
  const informers = createInformerFactory(client, deps);
  informers.informer<Pod>(PodKind);
  await informers.start();
  const agent: NodeAgent = await startNodeAgent({
    ...deps,
    client,
    informers,
    runtime,
    ownAddresses: false,
    ports: { canBind: async () => true, freePort: async () => 40_000 },
    settings: {
      images: {},
      startDir: '/',
      baseEnv: { PATH: '/bin:/usr/bin' },
      gatewayUrl: null,
      sidecarArgv: [],
    },
  });
  const read = (name: string) => client.get<Pod>(PodKind, { namespace: 'default', name });
  const settle = () => clock.advanceAsync(20, 1);
  const stop = async () => {
    await agent.stop();
    await informers.stop();
  };
  return { clock, client, runtime, read, settle, stop };
}

const nothing = async () => undefined;

describe('node agent', () => {
  it('starts a pod, gives it a port and reports it running (CP-517, KN-235)', async () => {
    const { client, runtime, read, settle, stop } = await start(nothing);
    await client.create(PodKind, pod('a'));
    await settle();
    expect(runtime.started).toHaveLength(1);
    const port = runtime.started[0]?.env.PORT;
    const { metadata, status } = await read('a');
    expect(JSON.parse(metadata.annotations?.[PORT_MAP_ANNOTATION] ?? '')).toEqual({
      8080: Number(port),
    });
    expect(status).toMatchObject({ phase: 'Running', podIP: '127.0.0.1' });
    expect(status?.startTime).toBeDefined();
    expect(status?.containerStatuses?.[0]).toMatchObject({ name: 'app', ready: true });
    await stop();
  });

  it('CP-185: a crash is reported with exit code and log, and started again', async () => {
    const { client, runtime, read, settle, stop } = await start(nothing);
    await client.create(PodKind, pod('a'));
    await settle();
    runtime.exit(runtime.started[0]?.id ?? '', 3, 'no database\n');
    await settle();
    expect(runtime.started).toHaveLength(2);
    expect((await read('a')).status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 3, message: 'no database\n' } },
    });
    await stop();
  });

  it('says how to map an image nobody mapped, where a Revision hears it at once', async () => {
    const { client, runtime, read, settle, stop } = await start(nothing);
    await client.create(PodKind, pod('a', { image: 'acme/shop:v1', command: [] }));
    await settle();
    expect(runtime.started).toEqual([]);
    const { status } = await read('a');
    expect(status?.containerStatuses?.[0]?.state?.waiting).toMatchObject({
      reason: 'ErrImagePull',
      message: expect.stringContaining('--image shop='),
    });
    expect(status?.conditions?.find(({ type }) => type === 'PodScheduled')).toMatchObject({
      status: 'False',
      reason: 'ErrImagePull',
    });
    await stop();
  });

  it('kills what runs for a pod whose object is gone', async () => {
    const { client, runtime, settle, stop } = await start(nothing);
    await client.create(PodKind, pod('a'));
    await settle();
    await client.delete(PodKind, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 });
    await settle();
    expect(runtime.signals).toEqual([`${runtime.started[0]?.id} SIGKILL`]);
    await stop();
  });

  it('removes pods of an earlier run and kills containers nobody knows', async () => {
    const { client, runtime, settle, stop } = await start(async (api, processes) => {
      const created = await api.create(PodKind, pod('old'));
      const status = { startTime: '2026-01-01T00:00:00Z', podIP: '127.0.0.1' };
      await api.updateStatus(PodKind, { ...created, status } as Pod);
      const spec = { id: 'gone/app/0', podUid: 'gone' } as ContainerSpec;
      processes.records = [{ spec, pid: 1, startedAtMs: 0, exit: null }];
    });
    await settle();
    expect((await client.list(PodKind)).items).toEqual([]);
    expect(runtime.signals).toEqual(['gone/app/0 SIGKILL']);
    await stop();
  });

  it('goes on with a pod that survived it', async () => {
    const { runtime, read, settle, stop } = await start(async (api, processes) => {
      const annotations = { [PORT_MAP_ANNOTATION]: '{"8080":20500}' };
      const base = pod('kept');
      const created = await api.create(PodKind, {
        ...base,
        metadata: { ...base.metadata, annotations },
      });
      const status = { startTime: '2026-01-01T00:00:00Z', podIP: '127.0.0.1' };
      const { metadata } = await api.updateStatus(PodKind, { ...created, status } as Pod);
      const podUid = metadata.uid ?? '';
      const spec = { id: `${podUid}/app/2`, podUid, container: 'app', attempt: 2 } as ContainerSpec;
      processes.records = [{ spec, pid: 1, startedAtMs: 0, exit: null }];
    });
    await settle();
    expect(runtime.started).toEqual([]);
    expect((await read('kept')).status).toMatchObject({
      phase: 'Running',
      startTime: '2026-01-01T00:00:00Z',
      containerStatuses: [{ name: 'app', ready: true, restartCount: 2 }],
    });
    await stop();
  });
});
