// What surrounds every reconciler: when a status is written, what an error leaves behind, and that
// a pass which changes nothing writes nothing.

import { beforeEach, describe, expect, it } from 'vitest';
import { CONDITION_SETS } from '../api/conditions.ts';
import { stockConfig } from '../api/config/registry.ts';
import * as kinds from '../api/kinds.ts';
import type { CommonStatus } from '../api/objects.ts';
import type { Configuration } from '../api/serving.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { EventRecorder } from '../kube/events.ts';
import { ObjectStore } from '../kube/object-store.ts';
import type { OwnCopy } from '../kube/status-pass.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import { ApiError, isConflict } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { ControllerContext } from './context.ts';
import { type Pass, StatusPipeline } from './pipeline.ts';

type Step = (object: OwnCopy<Configuration>, pass: Pass) => void | Promise<void>;

let clock: FakeClock;
let client: MemoryClient;
let store: ObjectStore<Configuration>;
let recorder: EventRecorder;

beforeEach(async () => {
  clock = new FakeClock();
  client = new MemoryClient({ clock });
  store = new ObjectStore();
  const common = { client, clock, logger: silentLogger, random: () => 0.5 };
  recorder = new EventRecorder({ ...common, component: 'test' });
  store.set(
    await client.create<Configuration>(kinds.Configuration, {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Configuration',
      metadata: { name: 'c', namespace: 'ns' },
      spec: { template: { spec: { containers: [] } } },
    }),
  );
});

function pipeline(step: Step): StatusPipeline<Configuration> {
  const config = { current: stockConfig('cluster.local') };
  const context = { client, clock, config } as unknown as ControllerContext;
  return new StatusPipeline(context, {
    kind: kinds.Configuration,
    conditionSet: CONDITION_SETS.Service,
    lister: store,
    recorder,
    async reconcileKind(object, pass) {
      await step(object, pass);
      return undefined;
    },
  });
}

async function refresh(): Promise<CommonStatus> {
  const object = await client.get<Configuration>(kinds.Configuration, {
    namespace: 'ns',
    name: 'c',
  });
  store.set(object);
  return object.status ?? {};
}

async function eventReasons(): Promise<string[]> {
  await recorder.flush();
  const { items } = await client.list(kinds.Event);
  return items.map((event) => (event as unknown as { reason: string }).reason);
}

const writes = (): number => client.calls.filter(({ verb }) => verb === 'update').length;
const bothReady: Step = (_object, { conditions }) => {
  conditions.markTrue('ConfigurationsReady');
  conditions.markTrue('RoutesReady');
};

describe('one pass', () => {
  it('CP-20: never changes the cached object', async () => {
    const before = structuredClone(store.getByKey('ns/c'));
    await pipeline(bothReady).reconcile('ns/c');
    expect(store.getByKey('ns/c')).toEqual(before);
  });

  it('CP-20, CP-21: a missing object and one on its way out are left alone', async () => {
    await pipeline(() => expect.fail('ran')).reconcile('ns/none');
    const gone = structuredClone(store.getByKey('ns/c')!);
    gone.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    store.set(gone);
    await pipeline(() => expect.fail('ran')).reconcile('ns/c');
    expect(writes()).toBe(0);
  });

  it('CP-23: a generation not seen yet marks Ready, which the step overwrites', async () => {
    await pipeline(() => undefined).reconcile('ns/c');
    const status = await refresh();
    expect(status.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'NewObservedGenFailure',
    });
    expect(status.observedGeneration).toBe(1);
    await pipeline(bothReady).reconcile('ns/c');
    expect((await refresh()).conditions?.every(({ status }) => status === 'True')).toBe(true);
  });

  it('CP-25: the same outcome again writes nothing, however late', async () => {
    await pipeline(bothReady).reconcile('ns/c');
    await refresh();
    clock.advance(3_600_000);
    const before = writes();
    await pipeline((object, pass) => {
      pass.conditions.markUnknown('RoutesReady', 'OnTheWay', 'somewhere in the pass');
      return bothReady(object, pass);
    }).reconcile('ns/c');
    expect(writes()).toBe(before);
  });
});

describe('a failing step', () => {
  it('CP-26: the status is written, the error told as an event and thrown on', async () => {
    const failing = pipeline((_object, { conditions }) => {
      conditions.markFalse('RoutesReady', 'Broken', 'b');
      throw new Error('no such thing');
    });
    await expect(failing.reconcile('ns/c')).rejects.toThrow('no such thing');
    expect((await refresh()).conditions?.find(({ type }) => type === 'Ready')?.reason).toBe(
      'Broken',
    );
    expect(await eventReasons()).toEqual(['InternalError']);
  });

  it('CP-26: a conflict is retried without an event', async () => {
    const conflict = new ApiError({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      reason: 'Conflict',
      code: 409,
    });
    const failing = pipeline(() => {
      throw conflict;
    });
    await expect(failing.reconcile('ns/c')).rejects.toSatisfy(isConflict);
    expect(await eventReasons()).toEqual([]);
  });

  it('CP-25: a status that cannot be written is told and retried', async () => {
    client.intercept = ({ subresource }) => {
      if (subresource === 'status') throw new Error('disk on fire');
    };
    await expect(pipeline(bothReady).reconcile('ns/c')).rejects.toThrow('disk on fire');
    expect(await eventReasons()).toEqual(['UpdateFailed']);
  });
});
