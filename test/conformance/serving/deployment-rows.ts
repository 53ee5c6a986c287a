// What a Revision is run as: its Deployment, and in it the container beside the sidecar.

import { expect } from 'vitest';
import { at } from './cluster.ts';
import { HELLO, service } from './objects.ts';
import { type AnyObject, DEPLOYMENT, POD_AUTOSCALER, REVISION } from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const KEY = 'serving.knative.dev';
const SCALE = 'autoscaling.knative.dev';

interface Env {
  name: string;
  value?: string;
  valueFrom?: unknown;
}

/** A Revision that sets most of what reaches its Deployment. */
export const built = shared(async (cluster) => {
  await cluster.deploy(
    service('built', {
      labels: { part: 'p' },
      annotations: { why: 'w', [`${SCALE}/max-scale`]: '3' },
      env: { COLOUR: 'red' },
      spec: { containerConcurrency: 5, timeoutSeconds: 20 },
      container: {
        ports: [{ containerPort: 9999 }],
        readinessProbe: { httpGet: { path: '/' }, periodSeconds: 3 },
        resources: { limits: { memory: '256Mi' } },
      },
    }),
  );
  return cluster.get(DEPLOYMENT, 'built-00001-deployment');
});

export const running = shared((cluster) => cluster.deploy(service('running', { isAwake: true })));

const container = (deployment: AnyObject, index: number) =>
  at(deployment, `spec.template.spec.containers.${index}`) as {
    name: string;
    env: Env[];
    ports: { name: string; containerPort: number }[];
  };

const envOf = (deployment: AnyObject, index: number): Map<string, Env> =>
  new Map(container(deployment, index).env.map((each) => [each.name, each]));

const deployment: readonly ServingRow[] = [
  row('CP-200, CP-62', 'A Revision is run by a Deployment of its name', async (cluster) => {
    const { metadata } = await built(cluster);
    const { uid } = (await cluster.get(REVISION, 'built-00001')).metadata;
    expect(metadata.ownerReferences).toMatchObject([
      { kind: 'Revision', name: 'built-00001', uid, controller: true },
    ]);
  }),
  row(
    'CP-201',
    'Deployment and pods are labelled with Revision, Service and app',
    async (cluster) => {
      const { metadata, spec } = await built(cluster);
      const want = {
        app: 'built-00001',
        part: 'p',
        [`${KEY}/revision`]: 'built-00001',
        [`${KEY}/service`]: 'built',
      };
      expect(metadata.labels).toMatchObject(want);
      expect(at(spec, 'template.metadata.labels')).toMatchObject(want);
      expect(metadata.labels).not.toHaveProperty([`${KEY}/routingState`]);
    },
  ),
  row(
    'CP-202',
    'Annotations reach the pods, those of scaling and routing do not',
    async (cluster) => {
      const annotations = at(
        (await built(cluster)).spec,
        'template.metadata.annotations',
      ) as object;
      expect(annotations).toMatchObject({ why: 'w' });
      const keys = Object.keys(annotations).filter((key) => key.startsWith(SCALE));
      expect([
        ...keys,
        ...Object.keys(annotations).filter((key) => key.startsWith(`${KEY}/routes`)),
      ]).toEqual([]);
    },
  ),
  row(
    'CP-203',
    'A Deployment selects by the uid of its Revision and replaces without a gap',
    async (cluster) => {
      const { spec } = await built(cluster);
      const { uid } = (await cluster.get(REVISION, 'built-00001')).metadata;
      expect(spec).toMatchObject({
        selector: { matchLabels: { [`${KEY}/revisionUID`]: uid } },
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 0,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
      });
    },
  ),
  row(
    'CP-203, AS-13',
    'initial-scale says how many pods a Revision starts with',
    async (cluster) => {
      expect((await built(cluster)).spec?.['replicas']).toBe(0);
      await running(cluster);
      const { spec } = await cluster.get(DEPLOYMENT, 'running-00001-deployment');
      expect(spec?.['replicas']).toBe(1);
    },
  ),
  row('CP-204, RC-70', 'A pod has as long to end as a request may take', async (cluster) => {
    const pod = at((await built(cluster)).spec, 'template.spec');
    expect(pod).toMatchObject({ terminationGracePeriodSeconds: 20, enableServiceLinks: false });
  }),
  row('CP-206, RC-2', 'A container is told its names after its own variables', async (cluster) => {
    const env = container(await built(cluster), 0).env;
    expect(env.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'COLOUR=red',
      'PORT=9999',
      'K_REVISION=built-00001',
      'K_CONFIGURATION=built',
      'K_SERVICE=built',
    ]);
  }),
  row(
    'CP-206, RC-75',
    'A container is stopped only when the sidecar has drained',
    async (cluster) => {
      const user = container(await built(cluster), 0);
      expect(at(user, 'lifecycle.preStop.httpGet')).toMatchObject({
        path: '/wait-for-drain',
        port: 8022,
      });
      expect(user).toMatchObject({ terminationMessagePolicy: 'FallbackToLogsOnError' });
      expect(user).not.toHaveProperty('readinessProbe');
    },
  ),
  row('CP-207, RC-10', 'A container has one port, named user-port', async (cluster) => {
    const { ports } = container(await built(cluster), 0);
    expect(ports).toMatchObject([{ name: 'user-port', containerPort: 9999 }]);
  }),
  row('CP-210', 'The sidecar comes last, with its ports and no rights', async (cluster) => {
    const sidecar = container(await built(cluster), 1);
    expect(sidecar.name).toBe('queue-proxy');
    expect(sidecar.ports.map(({ name, containerPort }) => `${name} ${containerPort}`)).toEqual([
      'http-autometric 9090',
      'http-usermetric 9091',
      'queue-port 8012',
      'https-port 8112',
    ]);
    expect(at(sidecar, 'securityContext')).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    });
  }),
  row(
    'CP-211, RC-60',
    'The sidecar is asked for readiness in place of the container',
    async (cluster) => {
      expect(at(container(await built(cluster), 1), 'readinessProbe')).toMatchObject({
        periodSeconds: 3,
        httpGet: { port: 8012, httpHeaders: [{ name: 'K-Network-Probe', value: 'queue' }] },
      });
    },
  ),
  row('CP-212', 'The sidecar is told limits, names and port of its container', async (cluster) => {
    const env = envOf(await built(cluster), 1);
    const want = {
      SERVING_NAMESPACE: 'default',
      SERVING_SERVICE: 'built',
      SERVING_CONFIGURATION: 'built',
      SERVING_REVISION: 'built-00001',
      QUEUE_SERVING_PORT: '8012',
      QUEUE_SERVING_TLS_PORT: '8112',
      CONTAINER_CONCURRENCY: '5',
      REVISION_TIMEOUT_SECONDS: '20',
      USER_PORT: '9999',
      SYSTEM_NAMESPACE: 'knative-serving',
    };
    const told = Object.keys(want).map((name) => [name, env.get(name)?.value]);
    expect(Object.fromEntries(told)).toEqual(want);
  }),
  row(
    'CP-213',
    'The sidecar is told the probe of its container, with host and port',
    async (cluster) => {
      const probe = envOf(await built(cluster), 1).get('SERVING_READINESS_PROBE')?.value ?? '';
      expect(JSON.parse(probe)).toMatchObject({
        httpGet: { path: '/', port: 9999, host: '127.0.0.1', scheme: 'HTTP' },
        periodSeconds: 3,
      });
    },
  ),
  row('CP-215', 'The sidecar asks for a quarter of a tenth of a CPU', async (cluster) => {
    const requests = at(container(await built(cluster), 1), 'resources.requests');
    expect(requests).toMatchObject({ cpu: '25m' });
  }),
  row('CP-215, CP-64', 'Annotations set what the sidecar asks for', async (cluster) => {
    const prefix = 'queue.sidecar.serving.knative.dev';
    const annotations = {
      [`${prefix}/cpu-resource-request`]: '11m',
      [`${prefix}/memory-resource-limit`]: '99Mi',
    };
    await cluster.deploy(service('sized', { annotations }));
    const sidecar = container(await cluster.get(DEPLOYMENT, 'sized-00001-deployment'), 1);
    expect(at(sidecar, 'resources')).toMatchObject({
      requests: { cpu: '11m' },
      limits: { memory: '99Mi' },
    });
  }),
  row('CP-210, CP-309, RC-12', 'A port named h2c makes the way to it HTTP/2', async (cluster) => {
    const ports = [{ name: 'h2c', containerPort: 8080 }];
    await cluster.deploy(service('h2', { container: { ports } }));
    const { ports: open } = container(await cluster.get(DEPLOYMENT, 'h2-00001-deployment'), 1);
    expect(open).toContainEqual(
      expect.objectContaining({ name: 'queue-port', containerPort: 8013 }),
    );
    const scaler = await cluster.get(POD_AUTOSCALER, 'h2-00001');
    expect(scaler.spec?.['protocolType']).toBe('h2c');
    const { spec } = await cluster.get('v1/services', 'h2-00001');
    expect(at(spec, 'ports.0')).toMatchObject({ name: 'http2', targetPort: 8013 });
  }),
  row(
    'CP-205, CP-206',
    'Of several containers the one with a port serves, the others get no PORT',
    async (cluster) => {
      const two = service('pair');
      const user = { image: 'pilotlight/hello', command: HELLO };
      const containers = [
        { ...user, name: 'helper' },
        { ...user, name: 'main', ports: [{ containerPort: 8080 }] },
      ];
      Object.assign(at(two, 'spec.template.spec') as object, { containers });
      await cluster.deploy(two);
      const made = await cluster.get(DEPLOYMENT, 'pair-00001-deployment');
      expect([0, 1, 2].map((index) => container(made, index).name)).toEqual([
        'helper',
        'main',
        'queue-proxy',
      ]);
      expect(envOf(made, 0).has('PORT')).toBe(false);
      expect(envOf(made, 0).get('K_REVISION')?.value).toBe('pair-00001');
      expect(envOf(made, 1).get('PORT')?.value).toBe('8080');
    },
  ),
  row(
    'CP-221',
    'A Deployment changed by hand keeps the change until something is due',
    async (cluster) => {
      await cluster.deploy(service('edited'));
      const name = 'edited-00001-deployment';
      await cluster.patch(DEPLOYMENT, name, { spec: { progressDeadlineSeconds: 321 } });
      const labels = { poked: 'yes' };
      await cluster.patch(REVISION, 'edited-00001', { metadata: { labels } });
      await cluster.eventually(DEPLOYMENT, name, ({ metadata }) => {
        expect(metadata.labels).toMatchObject(labels);
      });
      const { spec } = await cluster.get(DEPLOYMENT, name);
      expect(spec?.['progressDeadlineSeconds']).toBe(600);
    },
  ),
];

export const deploymentRows: readonly ServingRow[] = deployment;
