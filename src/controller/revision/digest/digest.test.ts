// Digests from the view of a Revision: nothing is made before they are known, a failure is told and
// mended, and nothing is asked twice.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConfigMap, Deployment, Secret } from '../../../api/core.ts';
import * as kinds from '../../../api/kinds.ts';
import type { Revision, RevisionTemplate } from '../../../api/serving.ts';
import { systemClock } from '../../../clock/clock.ts';
import type { KubeClient } from '../../../kube/types.ts';
import { ControllerWorld, NAMESPACE } from '../../testing/world.ts';
import { createRegistrySender } from './http.ts';
import { DigestQueue } from './queue.ts';
import { RegistryClient } from './registry-client.ts';
import { TestRegistry } from './testing/registry.ts';

const PATIENCE = { timeout: 30_000, interval: 5 };
const NAME = 'hello-00001';
let registry: TestRegistry;
let world: ControllerWorld;

beforeEach(async () => {
  registry = new TestRegistry();
  await registry.start();
  // Answers of the registry take real time, back-off and retries the time of the test.
  const send = createRegistrySender(systemClock);
  const asked = new RegistryClient({ send, clock: systemClock, userAgent: 'test' });
  world = new ControllerWorld({
    digests: ({ client, clock }) =>
      new DigestQueue({ kube: client as KubeClient, registry: asked, clock }),
    hasImageCaches: true,
  });
  await world.start();
});
afterEach(async () => {
  await world.stop();
  await registry.stop();
});

const revision = (): Promise<Revision> => world.get(kinds.Revision, NAME);
const condition = (type: string): Promise<string> => world.condition(kinds.Revision, NAME, type);
const template = (...images: string[]): RevisionTemplate => ({
  spec: {
    containers: images.map((image, index) => ({
      name: `c${index}`,
      image,
      ...(index === 0 ? { ports: [{ containerPort: 8080 }] } : {}),
    })),
  },
});

async function whenResolved(): Promise<Revision> {
  return vi.waitFor(async () => {
    await world.settle();
    const found = await revision();
    expect(found.status?.containerStatuses).toBeDefined();
    return found;
  }, PATIENCE);
}

async function whenFailed(): Promise<string> {
  return vi.waitFor(async () => {
    await world.settle();
    const text = await condition('ContainerHealthy');
    expect(text).toMatch(/^False/);
    return text;
  }, PATIENCE);
}

describe('CP-162, CP-163: resolving', { timeout: 60_000 }, () => {
  it('nothing is made before; then the Deployment runs the digest', async () => {
    const digest = registry.push('app', 'v1');
    let open: () => void = () => undefined;
    registry.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    await world.createService('hello', template(`${registry.host}/app:v1`));
    expect(await condition('ResourcesAvailable')).toBe('Unknown ResolvingDigests');
    expect(await world.names(kinds.Deployment)).toEqual([]);
    open();
    const { status } = await whenResolved();
    expect(status?.containerStatuses?.[0]?.imageDigest).toBe(`${registry.host}/app@${digest}`);
    expect(await world.names(kinds.Deployment)).toEqual([`${NAME}-deployment`]);
  });

  it('each image is asked for once, in whatever container it is', async () => {
    const first = registry.push('app', 'v1');
    const second = registry.push('side', 'latest');
    const [app, side] = [`${registry.host}/app:v1`, `${registry.host}/side`];
    await world.createService('hello', template(app, side, app));
    const { status } = await whenResolved();
    const [appDigest, sideDigest] = [
      `${registry.host}/app@${first}`,
      `${registry.host}/side@${second}`,
    ];
    expect(status?.containerStatuses).toEqual([
      { name: 'c0', imageDigest: appDigest },
      { name: 'c1', imageDigest: sideDigest },
      { name: 'c2', imageDigest: appDigest },
    ]);
    expect(registry.requests).toHaveLength(2);
    const deployment = await world.get<Deployment>(kinds.Deployment, `${NAME}-deployment`);
    const images = deployment.spec.template.spec.containers.map(({ image }) => image);
    expect(images.slice(0, 3)).toEqual([appDigest, sideDigest, appDigest]);
  });

  it('CP-162: a tag that moves later changes nothing', async () => {
    registry.push('app', 'v1');
    await world.createService('hello', template(`${registry.host}/app:v1`));
    const before = await whenResolved();
    registry.push('app', 'v1', 'another manifest');
    await world.setConfig('config-defaults', { 'revision-timeout-seconds': '299' });
    await world.settle();
    expect((await revision()).status?.containerStatuses).toEqual(before.status?.containerStatuses);
    expect(registry.requests).toHaveLength(1);
  });

  it('CP-164: digests and registries on the list are not asked for', async () => {
    const digest = `ghcr.io/a/b@sha256:${'a'.repeat(64)}`;
    await world.createService('hello', template(digest, 'dev.local/xy'));
    const { status } = await whenResolved();
    expect(status?.containerStatuses).toEqual([
      { name: 'c0', imageDigest: digest },
      { name: 'c1' },
    ]);
    const deployment = await world.get<Deployment>(kinds.Deployment, `${NAME}-deployment`);
    expect(deployment.spec.template.spec.containers[1]?.image).toBe('dev.local/xy');
  });

  it('CP-190: an Image for every container, where something reads them', async () => {
    registry.push('app', 'v1');
    await world.createService('hello', template(`${registry.host}/app:v1`));
    await whenResolved();
    await world.settle();
    expect(await world.names(kinds.Image)).toEqual([`${NAME}-cache-c0`]);
  });
});

describe('CP-166: failures', { timeout: 60_000 }, () => {
  it('are told on the Revision with image and cause, and mended by a later success', async () => {
    const image = `${registry.host}/app:v1`;
    await world.createService('hello', template(image));
    expect(await whenFailed()).toBe(
      `False ContainerMissing: Unable to fetch image "${image}": failed to resolve image to digest: ` +
        `HEAD http://${registry.host}/v2/app/manifests/v1: unexpected status code 404 Not Found ` +
        '(HEAD responses have no body, use GET for details)',
    );
    expect(await condition('Ready')).toMatch(/^False ContainerMissing/);
    const asked = registry.requests.length;
    registry.push('app', 'v1');
    await vi.waitFor(async () => {
      world.clock.advance(1_000);
      await world.settle();
      expect((await revision()).status?.containerStatuses).toBeDefined();
    }, PATIENCE);
    expect(registry.requests.length - asked).toBeLessThan(4);
    expect(await condition('ContainerHealthy')).toBe('Unknown Deploying');
  });

  it('CP-165: pull secrets of the service account open the registry', async () => {
    registry.rules = { access: 'basic', credentials: 'bob:secret' };
    registry.push('app', 'v1');
    const auths = { [registry.host]: { username: 'bob', password: 'secret' } };
    const data = Buffer.from(JSON.stringify({ auths })).toString('base64');
    await world.client.create<Secret>(kinds.Secret, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'pull', namespace: NAMESPACE },
      data: { '.dockerconfigjson': data },
    });
    await world.client.create(kinds.ServiceAccount, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: NAMESPACE },
      imagePullSecrets: [{ name: 'pull' }],
    } as unknown as ConfigMap);
    await world.createService('hello', template(`${registry.host}/app:v1`));
    await whenResolved();
  });

  it('a name that is no image says so', async () => {
    await world.createService('hello', template('Not An Image'));
    expect(await whenFailed()).toContain('could not parse reference: Not An Image');
  });
});
