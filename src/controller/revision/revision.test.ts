// A Revision from its spec to its pods' state, with all controllers running.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PodAutoscaler } from '../../api/autoscaling.ts';
import { CONDITION_SETS, ConditionManager } from '../../api/conditions.ts';
import type { Deployment, Secret } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import type { Certificate } from '../../api/networking.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Revision } from '../../api/serving.ts';
import { bare, golden, goldenRevision } from '../testing/golden.ts';
import { brief, ControllerWorld, NAMESPACE, template } from '../testing/world.ts';
import { markDeploymentStatus } from './health.ts';
import { makeImages } from './resources/image-cache.ts';

const NAME = 'hello-00001';
let world: ControllerWorld;

beforeEach(async () => {
  world = new ControllerWorld();
  await world.start();
});
afterEach(() => world.stop());

const condition = (type: string): Promise<string> => world.condition(kinds.Revision, NAME, type);
const revision = (): Promise<Revision> => world.get(kinds.Revision, NAME);
const deployment = (): Promise<Deployment> => world.get(kinds.Deployment, `${NAME}-deployment`);
const conditions = (list: object[]): object => ({ conditions: list });

describe('CP-160: what a Revision makes', () => {
  it('CP-161: a link to its logs, with its own uid', async () => {
    await world.setConfig('config-observability', {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is written so
      'logging.revision-url-template': 'http://logs/?q=${REVISION_UID}&again=${REVISION_UID}',
    });
    await world.createService('hello', template());
    const { uid } = (await revision()).metadata;
    expect((await revision()).status?.logUrl).toBe(`http://logs/?q=${uid}&again=${uid}`);
  });

  it('CP-200 to CP-202: labels and annotations of Deployment and pods', async () => {
    await world.createService('hello', {
      ...template(),
      metadata: {
        annotations: { mine: 'x', 'autoscaling.knative.dev/target': '7' },
        labels: { app: 'own' },
      },
    });
    const { metadata, spec } = await deployment();
    expect(metadata.name).toBe(`${NAME}-deployment`);
    expect(metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Revision', name: NAME });
    expect(metadata.labels).toMatchObject({ app: 'own', 'serving.knative.dev/revision': NAME });
    expect(metadata.labels).not.toHaveProperty(['serving.knative.dev/routingState']);
    expect(metadata.annotations).toEqual({ mine: 'x' });
    expect(spec.template.metadata?.annotations).toEqual({
      mine: 'x',
      'kubectl.kubernetes.io/default-container': 'user-container',
    });
  });

  it('CP-191: a PodAutoscaler of its name, with the class of the config map', async () => {
    await world.createService('hello', template());
    const { metadata, spec } = await world.get<PodAutoscaler>(kinds.PodAutoscaler, NAME);
    expect(metadata.annotations).toMatchObject({
      'autoscaling.knative.dev/class': 'kpa.autoscaling.knative.dev',
    });
    expect(spec).toEqual({
      protocolType: 'http1',
      reachability: 'Reachable',
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `${NAME}-deployment` },
    });
  });

  it('CP-606: an Image as the reference makes it', () => {
    const [image] = makeImages(goldenRevision());
    expect(bare(image as KubeObject)).toMatchObject(golden(606) as object);
  });
});

describe('CP-175: a child that belongs to somebody else', () => {
  it.each([
    ['Deployment', kinds.Deployment, `${NAME}-deployment`],
    ['PodAutoscaler', kinds.PodAutoscaler, NAME],
  ])('%s', async (what, kind, name) => {
    await world.client.create(kind, {
      apiVersion: kinds.apiVersionOf(kind),
      kind: kind.kind,
      metadata: { name, namespace: NAMESPACE },
      spec: { selector: { matchLabels: {} }, template: { spec: { containers: [] } } },
    } as KubeObject);
    await world.createService('hello', template()).catch(() => undefined);
    expect(await condition('ResourcesAvailable')).toBe(
      `False NotOwned: There is an existing ${what} "${name}" that we do not own.`,
    );
  });
});

describe('CP-176: the state of the Deployment', () => {
  const progressing = (status: string) => ({
    type: 'Progressing',
    status,
    reason: 'P',
    message: 'p',
  });
  const replicas = (status: string) => ({
    type: 'ReplicaFailure',
    status,
    reason: 'R',
    message: 'r',
  });

  it.each([
    ['nothing said', [], 'Unknown Deploying'],
    ['no progress', [progressing('False')], 'False P: p'],
    ['no replicas', [progressing('True'), replicas('True')], 'False R: r'],
    ['both', [progressing('False'), replicas('True')], 'False R: r'],
    ['unsure', [progressing('True'), replicas('Unknown')], 'Unknown R: r'],
    ['no failure', [progressing('Unknown'), replicas('False')], 'Unknown P: p'],
  ])('%s', (_name, list, expected) => {
    const status = {};
    const manager = new ConditionManager(CONDITION_SETS.Revision, status, 0);
    markDeploymentStatus({ status: { conditions: list } } as unknown as Deployment, manager);
    expect(brief(manager.get('ResourcesAvailable'))).toBe(expected);
  });
});

describe('CP-194: the state of the PodAutoscaler', () => {
  const initialized = { type: 'ScaleTargetInitialized', status: 'True' };

  it.each<[string, object, [active: string, available: string]]>([
    ['nothing said', {}, ['Unknown Deploying', 'Unknown Deploying']],
    [
      'ready, but never initialized',
      { serviceName: 's', ...conditions([{ type: 'Ready', status: 'True' }]) },
      ['True', 'Unknown Deploying'],
    ],
    [
      'initialized, without a Service yet',
      conditions([initialized, { type: 'Ready', status: 'True' }]),
      ['True', 'Unknown Deploying'],
    ],
    [
      'idle',
      {
        serviceName: 's',
        ...conditions([
          initialized,
          { type: 'Ready', status: 'False', reason: 'NoTraffic', message: 'm' },
        ]),
      },
      ['False NoTraffic: m', 'True'],
    ],
    [
      'given up before the first pod',
      {
        serviceName: 's',
        ...conditions([{ type: 'Ready', status: 'False', reason: 'TimedOut', message: 'm' }]),
      },
      ['False TimedOut: m', 'False ProgressDeadlineExceeded: Initial scale was never achieved'],
    ],
  ])('%s', async (_name, status, [active, available]) => {
    await world.createService('hello', template());
    await world.setStatus(kinds.PodAutoscaler, NAME, {
      desiredScale: -1,
      actualScale: 2,
      ...status,
    });
    expect(await condition('Active')).toBe(active);
    expect(await condition('ResourcesAvailable')).toBe(available);
    expect((await revision()).status).toMatchObject({ actualReplicas: 2 });
    expect((await revision()).status).not.toHaveProperty('desiredReplicas');
  });
});

describe('CP-170: system-internal-tls', () => {
  it('pods wait for the certificate of their namespace', async () => {
    const metadata = { name: NAMESPACE };
    await world.client.create(kinds.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
    await world.setConfig('config-network', { 'system-internal-tls': 'enabled' });
    await world.createService('hello', template());
    const wanted = await world.get<Certificate>(kinds.Certificate, 'serving-certs');
    expect(wanted.spec).toEqual({
      dnsNames: ['kn-user-default', 'data-plane.knative.dev'],
      secretName: 'serving-certs',
    });
    expect(wanted.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'Namespace' });
    expect(await world.names(kinds.Deployment)).toEqual([]);
    await world.client.create<Secret>(kinds.Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'serving-certs', namespace: NAMESPACE },
      data: { 'tls.crt': 'eA==', 'tls.key': 'eA==' },
    });
    await world.setStatus(kinds.Certificate, 'serving-certs', {
      conditions: [{ type: 'Ready', status: 'True' }],
    });
    expect(await world.names(kinds.Deployment)).toEqual([`${NAME}-deployment`]);
  });
});
