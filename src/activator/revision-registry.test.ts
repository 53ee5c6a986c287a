// Revisions and Endpoints from an in-memory API become throttlers and pods (ACT-42 to ACT-44,
// ACT-69 to ACT-79, ACT-102).

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CoreService, Endpoints } from '../api/core.ts';
import {
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Revision as RevisionKind,
} from '../api/kinds.ts';
import type { Revision } from '../api/serving.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { MAX_CAPACITY } from './capacity.ts';
import { type PodProber, ProbeOutcome } from './pod-probes.ts';
import { RevisionRegistry } from './revision-registry.ts';
import { FakeUpstreams, revision, settle } from './testing/harness.ts';

/** Pods answer at once, except those named. */
class InstantProber implements PodProber {
  readonly silent = new Set<string>();
  readonly outcomes = new Map<string, ProbeOutcome>();

  probe(dest: string, _timeoutMs: number, done: (outcome: ProbeOutcome) => void) {
    const outcome = this.outcomes.get(dest) ?? ProbeOutcome.READY;
    if (!this.silent.has(dest)) queueMicrotask(() => done(outcome));
    return { cancel: () => undefined };
  }

  readonly forgotten: string[] = [];

  forget(dest: string): void {
    this.forgotten.push(dest);
  }
}

let client: MemoryClient;
let registry: RevisionRegistry;
let prober: InstantProber;
let upstreams: FakeUpstreams;
let stop: () => Promise<void>;

beforeEach(async () => {
  const clock = new FakeClock();
  client = new MemoryClient({ clock });
  prober = new InstantProber();
  upstreams = new FakeUpstreams();
  const informers = createInformerFactory(client, {
    clock,
    logger: silentLogger,
    random: () => 0,
  });
  registry = new RevisionRegistry({
    revisions: informers.informer<Revision>(RevisionKind),
    endpoints: informers.informer<Endpoints>(EndpointsKind),
    services: informers.informer<CoreService>(CoreServiceKind),
    upstreams,
    prober,
    clock,
    logger: silentLogger,
    random: () => 0,
    ownAddress: '10.9.0.2',
  });
  await informers.start();
  registry.start();
  stop = async () => {
    registry.stop();
    await informers.stop();
  };
});
afterEach(() => stop());

const endpoints = (name: string, type: 'Private' | 'Public', ready: string[]): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: {
    name: type === 'Private' ? `${name}-private` : name,
    namespace: 'default',
    labels: {
      'serving.knative.dev/revision': name,
      'serving.knative.dev/revisionUID': `uid-${name}`,
      'networking.internal.knative.dev/serviceType': type,
    },
  },
  subsets: [{ addresses: ready.map((ip) => ({ ip })), ports: [{ name: 'http', port: 8012 }] }],
});

const privateService = (clusterIP: string): CoreService => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...endpoints('hello', 'Private', []).metadata },
  spec: { clusterIP, ports: [{ name: 'http', port: 80 }] },
});

async function create(...objects: (Revision | Endpoints)[]): Promise<void> {
  for (const object of objects) {
    await client.create(object.kind === 'Revision' ? RevisionKind : EndpointsKind, object);
  }
  await settle(10);
}

describe('revision registry', () => {
  it('ACT-42: a revision has a throttler from the moment it exists', async () => {
    await create(revision('hello'));
    expect(registry.find('default', 'hello')?.capacity).toBe(0);
    expect(registry.find('default', 'other')).toBeNull();
    expect(registry.find('other', 'hello')).toBeNull();
  });

  it('ACT-77: private Endpoints open it', async () => {
    await create(revision('hello'), endpoints('hello', 'Private', ['10.0.0.1']));
    expect(registry.find('default', 'hello')?.capacity).toBe(MAX_CAPACITY);
  });

  it('ACT-79: Endpoints that come before their revision are not lost', async () => {
    await create(
      endpoints('hello', 'Private', ['10.0.0.1', '10.0.0.2']),
      revision('hello', { containerConcurrency: 5 }),
    );
    expect(registry.find('default', 'hello')?.capacity).toBe(10);
  });

  it('ACT-77: public Endpoints and unlabelled ones are no pods', async () => {
    const foreign = endpoints('hello', 'Private', ['10.0.0.1']);
    delete foreign.metadata.labels?.['serving.knative.dev/revisionUID'];
    await create(revision('hello'), foreign, endpoints('hello', 'Public', ['10.0.0.1']));
    expect(registry.find('default', 'hello')?.hasPods).toBe(false);
  });

  it('ACT-69 to ACT-73: activators listed beside this one take their share', async () => {
    await create(
      revision('hello', { containerConcurrency: 10 }),
      endpoints('hello', 'Private', ['10.0.0.1', '10.0.0.2', '10.0.0.3']),
    );
    const throttler = registry.find('default', 'hello');
    expect(throttler?.capacity).toBe(30);
    await create(endpoints('hello', 'Public', ['10.9.0.1', '10.9.0.2']));
    expect(throttler?.capacity).toBe(10);
    const listed = await client.get<Endpoints>(EndpointsKind, {
      namespace: 'default',
      name: 'hello',
    });
    // Serve mode lists pods; this activator is not among them and keeps what it knew.
    await client.update<Endpoints>(EndpointsKind, {
      ...listed,
      subsets: endpoints('hello', 'Public', ['10.0.0.1']).subsets ?? [],
    });
    await settle(10);
    expect(throttler?.capacity).toBe(10);
  });

  it('ACT-102: deleted private Endpoints leave the pods known so far', async () => {
    await create(revision('hello'), endpoints('hello', 'Private', ['10.0.0.1']));
    await client.delete(EndpointsKind, { namespace: 'default', name: 'hello-private' });
    await settle(10);
    expect(registry.find('default', 'hello')?.hasPods).toBe(true);
  });

  it('ACT-44: a deleted revision is gone, a new one of that name starts afresh', async () => {
    await create(revision('hello'), endpoints('hello', 'Private', ['10.0.0.1']));
    const before = registry.find('default', 'hello');
    await client.delete(RevisionKind, { namespace: 'default', name: 'hello' });
    await settle(10);
    expect(registry.find('default', 'hello')).toBeNull();
    await create({ ...revision('hello', { containerConcurrency: 3 }) });
    expect(registry.find('default', 'hello')).not.toBe(before);
    expect(registry.find('default', 'hello')?.capacity).toBe(3);
  });

  it('ACT-45: of two changes the later one holds', async () => {
    await create(revision('hello', { containerConcurrency: 1 }));
    const listed = endpoints('hello', 'Private', ['10.0.0.1']);
    const stored = await client.create<Endpoints>(EndpointsKind, listed);
    const { subsets = [] } = endpoints('hello', 'Private', ['10.0.0.2', '10.0.0.3']);
    await client.update<Endpoints>(EndpointsKind, { ...stored, subsets });
    await settle(10);
    expect(registry.find('default', 'hello')?.capacity).toBe(2);
  });

  it('ACT-44: what a deleted revision had idle is given up', async () => {
    await create(revision('hello'), endpoints('hello', 'Private', ['10.0.0.1']));
    const known = upstreams.at('10.0.0.1', 8012);
    await client.delete(RevisionKind, { namespace: 'default', name: 'hello' });
    await settle(10);
    expect(upstreams.at('10.0.0.1', 8012)).not.toBe(known);
  });

  it('ACT-88, ACT-91: pods nobody can reach are left to the ClusterIP', async () => {
    prober.outcomes.set('10.0.0.1:8012', ProbeOutcome.NOT_READY);
    await create(
      revision('hello', { containerConcurrency: 5 }),
      endpoints('hello', 'Private', ['10.0.0.1']),
    );
    const throttler = registry.find('default', 'hello');
    expect(throttler?.hasPods).toBe(false);
    await client.create<CoreService>(CoreServiceKind, privateService('10.96.0.1'));
    await settle(10);
    expect([throttler?.capacity, throttler?.choosePod()?.dest]).toEqual([5, '10.96.0.1:80']);
  });

  it('ACT-88: a Service without address or port is none', async () => {
    prober.outcomes.set('10.0.0.1:8012', ProbeOutcome.NOT_READY);
    await create(revision('hello'), endpoints('hello', 'Private', ['10.0.0.1']));
    await client.create<CoreService>(CoreServiceKind, privateService('None'));
    await settle(10);
    expect(registry.find('default', 'hello')?.hasPods).toBe(false);
  });

  it('a pod that took nothing is out until it answers a probe again', async () => {
    await create(revision('hello'), endpoints('hello', 'Private', ['10.0.0.1']));
    const throttler = registry.find('default', 'hello');
    prober.silent.add('10.0.0.1:8012');
    const tracker = throttler?.choosePod();
    tracker?.release();
    if (tracker != null) throttler?.suspect(tracker);
    expect(throttler?.hasPods).toBe(false);
  });
});
