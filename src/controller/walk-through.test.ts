// The visible states of a Service's life across all controllers, in the order of the specification.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CoreService, Deployment, Pod } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { REVISION_LABEL, REVISION_UID_LABEL } from '../api/labels.ts';
import type { KnativeService, Revision } from '../api/serving.ts';
import { ControllerWorld, NAMESPACE, template } from './testing/world.ts';

let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});

afterEach(() => world.stop());

const service = (type: string): Promise<string> =>
  world.condition(kinds.KnativeService, 'hello', type);
const revision = (type: string, name = 'hello-00001'): Promise<string> =>
  world.condition(kinds.Revision, name, type);
const route = (type: string): Promise<string> => world.condition(kinds.Route, 'hello', type);
const configuration = (): Promise<string> => world.condition(kinds.Configuration, 'hello', 'Ready');

async function makeReady(name: string): Promise<void> {
  await world.reachInitialScale(name);
  await world.serveIngress('hello');
}

/** A pod of the Revision whose user container is in the given state. */
async function createPod(revisionName: string, status: object): Promise<void> {
  const { metadata } = await world.get<Revision>(kinds.Revision, revisionName);
  await world.client.create<Pod>(kinds.Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${revisionName}-pod`,
      namespace: NAMESPACE,
      labels: { [REVISION_LABEL]: revisionName, [REVISION_UID_LABEL]: metadata.uid! },
    },
    spec: { containers: [{ name: 'user-container', image: 'no-such-image' }] },
  });
  await world.setStatus(kinds.Pod, `${revisionName}-pod`, {
    containerStatuses: [{ name: 'user-container', ready: false, restartCount: 0, ...status }],
  });
}

describe('CP-530: from a new Service to its first request and to idleness', () => {
  it('passes through the states of the walk-through', async () => {
    await world.createService('hello', template());
    expect(await world.names(kinds.Revision)).toEqual(['hello-00001']);
    expect(await world.names(kinds.Deployment)).toEqual(['hello-00001-deployment']);
    expect(await world.names(kinds.PodAutoscaler)).toEqual(['hello-00001']);
    expect(await configuration()).toBe('Unknown');
    expect(await revision('ResourcesAvailable')).toBe('Unknown Deploying');
    expect(await revision('ContainerHealthy')).toBe('Unknown Deploying');
    expect(await revision('Active')).toBe('Unknown Deploying');
    const waiting =
      'Unknown RevisionMissing: Configuration "hello" is waiting for a Revision to become ready.';
    expect(await route('AllTrafficAssigned')).toBe(waiting);
    expect(await route('IngressReady')).toBe(
      'Unknown IngressNotConfigured: Ingress has not yet been reconciled.',
    );
    expect(await service('RoutesReady')).toBe(waiting);
    const early = await world.get<KnativeService>(kinds.KnativeService, 'hello');
    expect(early.status).toMatchObject({
      url: 'http://hello.default.example.com',
      latestCreatedRevisionName: 'hello-00001',
    });
    expect(early.status).not.toHaveProperty('address');

    await world.reachInitialScale('hello-00001');
    expect(await revision('Ready')).toBe('True');
    expect(await configuration()).toBe('True');
    expect(await route('AllTrafficAssigned')).toBe('True');
    expect(await route('CertificateProvisioned')).toBe(
      'True TLSNotEnabled: external-domain-tls is not enabled',
    );
    expect(await service('ConfigurationsReady')).toBe('True');
    const placeholder = await world.get<CoreService>(kinds.CoreService, 'hello');
    expect(placeholder.spec.externalName).toBe('hello.default.example.com');

    await world.serveIngress('hello');
    expect(await service('Ready')).toBe('True');
    const pointed = await world.get<CoreService>(kinds.CoreService, 'hello');
    expect(pointed.spec.externalName).toBe('gateway.knative-serving.svc.cluster.local');
    const ready = await world.get<KnativeService>(kinds.KnativeService, 'hello');
    expect(ready.status).toMatchObject({
      address: { url: 'http://hello.default.svc.cluster.local' },
      traffic: [{ latestRevision: true, percent: 100, revisionName: 'hello-00001' }],
    });

    await world.setStatus(kinds.PodAutoscaler, 'hello-00001', {
      serviceName: 'hello-00001',
      metricsServiceName: 'x',
      desiredScale: 0,
      actualScale: 0,
      conditions: [
        { type: 'Ready', status: 'False', reason: 'NoTraffic', message: 'Nobody asks.' },
        { type: 'ScaleTargetInitialized', status: 'True' },
      ],
    });
    expect(await revision('Active')).toBe('False NoTraffic: Nobody asks.');
    expect(await revision('Ready')).toBe('True');
    expect(await service('Ready')).toBe('True');
  });

  it('a steady state is silent, also when every object is looked at again', async () => {
    await world.createService('hello', template());
    await makeReady('hello-00001');
    const writes = (): number =>
      world.client.calls.filter(({ verb }) => verb !== 'get' && verb !== 'watch').length;
    const before = writes();
    await world.setConfig('config-defaults', { 'revision-timeout-seconds': '299' });
    await world.settle();
    // One write is the map itself, one rolls nothing: the Revision's spec is already complete.
    expect(writes() - before).toBe(1);
  });

  it('CP-140: only a change of the template makes a Revision', async () => {
    await world.createService('hello', template());
    await makeReady('hello-00001');
    await world.changeService('hello', ({ metadata }) => {
      metadata.labels = { team: 'a' };
    });
    expect(await world.names(kinds.Revision)).toEqual(['hello-00001']);
    const child = await world.get<KnativeService>(kinds.Configuration, 'hello');
    expect(child.metadata.labels).toMatchObject({ team: 'a' });
  });
});

describe('CP-533: an update', () => {
  it('keeps the old Revision in service until the new one is ready, then retires it', async () => {
    await world.createService('hello', template());
    await makeReady('hello-00001');
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('hello:2');
    });
    const traffic = async (): Promise<string | undefined> =>
      (await world.get<KnativeService>(kinds.KnativeService, 'hello')).status?.traffic?.[0]
        ?.revisionName;
    expect(await world.names(kinds.Revision)).toEqual(['hello-00001', 'hello-00002']);
    expect(await traffic()).toBe('hello-00001');
    expect(await service('ConfigurationsReady')).toBe('Unknown');
    await makeReady('hello-00002');
    expect(await traffic()).toBe('hello-00002');
    expect(await service('Ready')).toBe('True');
    const state = async (name: string): Promise<string | undefined> =>
      (await world.get<Revision>(kinds.Revision, name)).metadata.labels?.[
        'serving.knative.dev/routingState'
      ];
    expect(await state('hello-00001')).toBe('reserve');
    expect(await state('hello-00002')).toBe('active');
  });
});

describe('a Revision that does not come up', () => {
  const failedPull = {
    state: { waiting: { reason: 'ErrImagePull', message: 'nothing is mapped to "no-such-image"' } },
  };
  const missing =
    'Unable to fetch image "no-such-image": failed to resolve image to digest: nothing is mapped to "no-such-image"';

  async function wantOnePod(name: string): Promise<void> {
    const deployment = await world.get<Deployment>(kinds.Deployment, `${name}-deployment`);
    expect(deployment.spec.replicas).toBe(1);
  }

  it('CP-531: an image nobody knows fails the whole new Service with its name', async () => {
    await world.createService('hello', template('no-such-image'));
    await wantOnePod('hello-00001');
    await createPod('hello-00001', failedPull);
    expect(await revision('ContainerHealthy')).toBe(`False ContainerMissing: ${missing}`);
    expect(await revision('Ready')).toBe(`False ContainerMissing: ${missing}`);
    expect(await configuration()).toBe(
      `False RevisionFailed: Revision "hello-00001" failed with message: ${missing}.`,
    );
    const none = 'False RevisionMissing: Configuration "hello" does not have any ready Revision.';
    expect(await route('AllTrafficAssigned')).toBe(none);
    expect(await service('RoutesReady')).toBe(none);
    expect(await service('Ready')).toBe(none);
  });

  it('CP-532: the Route of a Service that was ready stays with the old Revision', async () => {
    await world.createService('hello', template());
    await makeReady('hello-00001');
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('no-such-image');
    });
    await createPod('hello-00002', failedPull);
    expect(await revision('Ready', 'hello-00002')).toBe(`False ContainerMissing: ${missing}`);
    const failed = `False RevisionFailed: Revision "hello-00002" failed with message: ${missing}.`;
    expect(await service('ConfigurationsReady')).toBe(failed);
    expect(await service('Ready')).toBe(failed);
    expect(await service('RoutesReady')).toBe('True');
    expect(await route('Ready')).toBe('True');
  });

  it('CP-185: a container that ends surfaces with exit code and message', async () => {
    await world.createService('hello', template());
    await createPod('hello-00001', {
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 3, message: 'no config file' } },
    });
    expect(await revision('ContainerHealthy')).toBe(
      'False ExitCode3: Container failed with: no config file',
    );
  });

  it('CP-185: a container that comes up in the end clears the failure', async () => {
    await world.createService('hello', template('no-such-image'));
    await createPod('hello-00001', failedPull);
    await world.setStatus(kinds.Deployment, 'hello-00001-deployment', {
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }],
    });
    await makeReady('hello-00001');
    expect(await service('Ready')).toBe('True');
  });
});

describe('names chosen by the author', () => {
  it('CP-142: a name taken with another spec fails without a loop', async () => {
    await world.createService('hello', template('a', 'hello-one'));
    await makeReady('hello-one');
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('b', 'hello-one');
    });
    expect(await configuration()).toBe(
      'False RevisionFailed: Revision creation failed with message: revisions.serving.knative.dev "hello-one" already exists.',
    );
    expect(await service('RoutesReady')).toBe(
      'False RevisionNameTaken: The revision name "hello-one" is taken by a conflicting Revision, so traffic will not be migrated',
    );
  });

  it('CP-141: going back to an older named Revision reuses it', async () => {
    await world.createService('hello', template('a', 'hello-one'));
    await makeReady('hello-one');
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('b', 'hello-two');
    });
    await makeReady('hello-two');
    await world.changeService('hello', ({ spec }) => {
      spec.template = template('a', 'hello-one');
    });
    await world.serveIngress('hello');
    expect(await world.names(kinds.Revision)).toEqual(['hello-one', 'hello-two']);
    expect(await service('Ready')).toBe('True');
    const { status } = await world.get<KnativeService>(kinds.KnativeService, 'hello');
    expect(status?.latestReadyRevisionName).toBe('hello-one');
  });
});

describe('ownership', () => {
  it('CP-125: a Configuration of somebody else is left alone', async () => {
    await world.client.create(kinds.Configuration, {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Configuration',
      metadata: { name: 'hello', namespace: NAMESPACE },
      spec: { template: template('other') },
    } as never);
    await world.client.create(kinds.KnativeService, {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      metadata: { name: 'hello', namespace: NAMESPACE },
      spec: { template: template() },
    } as never);
    for (let turn = 0; turn < 50; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(await service('ConfigurationsReady')).toBe(
      'False NotOwned: There is an existing Configuration "hello" that we do not own.',
    );
  });
});
