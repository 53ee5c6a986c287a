// What a Route makes so that requests find their way: Ingress and placeholder Services, the names
// inside and outside the cluster, and what the gateway does with hosts.

import { expect } from 'vitest';
import { at, condition } from './cluster.ts';
import { configuration, route, service, template } from './objects.ts';
import { CORE_SERVICE, ENDPOINTS, INGRESS, ROUTE, SERVICE } from './resources.ts';
import { aloneRow, row, type ServingRow, shared } from './row.ts';

const NET = 'networking.knative.dev';
const INTERNAL = 'networking.internal.knative.dev';

/** One Revision under its main name and a tag. */
const named = shared(async (cluster) => {
  const traffic = [
    { latestRevision: true, percent: 100 },
    { revisionName: 'named-00001', percent: 0, tag: 'v1' },
  ];
  await cluster.create(service('named', { traffic, metadata: { labels: { team: 'a' } } }));
  await cluster.ready(SERVICE, 'named');
  return cluster.get(INGRESS, 'named');
});

const inside = shared((cluster) => {
  const labels = { [`${NET}/visibility`]: 'cluster-local' };
  return cluster.deploy(service('inside', { metadata: { labels }, isAwake: true }));
});

const ingress: readonly ServingRow[] = [
  row(
    'CP-305',
    'The Ingress is labelled with its Route and marked with its class',
    async (cluster) => {
      const { metadata } = await named(cluster);
      expect(metadata.labels).toMatchObject({
        team: 'a',
        'serving.knative.dev/route': 'named',
        'serving.knative.dev/routeNamespace': 'default',
      });
      const route = await cluster.get(ROUTE, 'named');
      expect(metadata.ownerReferences).toMatchObject([{ kind: 'Route', uid: route.metadata.uid }]);
      expect(metadata.annotations?.[`${NET}/ingress.class`]).toMatch(
        /ingress\.networking\.knative\.dev$/,
      );
    },
  ),
  row('CP-308', 'The Ingress has a rule inside and one outside for each name', async (cluster) => {
    const rules = (await named(cluster)).spec?.['rules'] as {
      hosts: string[];
      visibility: string;
    }[];
    expect(rules.map(({ hosts, visibility }) => [visibility, ...hosts])).toEqual([
      ['ClusterLocal', 'named.default', 'named.default.svc', 'named.default.svc.cluster.local'],
      ['ExternalIP', 'named.default.localhost'],
      [
        'ClusterLocal',
        'v1-named.default',
        'v1-named.default.svc',
        'v1-named.default.svc.cluster.local',
      ],
      ['ExternalIP', 'v1-named.default.localhost'],
    ]);
  }),
  row('CP-309, ING-14', 'The Ingress sets the headers that name the Revision', async (cluster) => {
    expect(at(await named(cluster), 'spec.rules.1.http.paths.0.splits')).toEqual([
      {
        serviceName: 'named-00001',
        serviceNamespace: 'default',
        servicePort: 80,
        percent: 100,
        appendHeaders: {
          'Knative-Serving-Revision': 'named-00001',
          'Knative-Serving-Namespace': 'default',
        },
      },
    ]);
  }),
  row('CP-306', 'The Ingress says which hosts a tag has', async (cluster) => {
    const { annotations } = (await named(cluster)).metadata;
    expect(JSON.parse(annotations?.[`${INTERNAL}/tag-to-host`] ?? '')).toEqual({
      v1: ['v1-named.default.svc.cluster.local', 'v1-named.default.localhost'],
    });
  }),
  row('CP-360', 'The Ingress keeps the rollout state, also when nothing rolls', async (cluster) => {
    const { annotations } = (await named(cluster)).metadata;
    expect(JSON.parse(annotations?.[`${INTERNAL}/rollout`] ?? '')).toEqual({
      configurations: [
        {
          configurationName: 'named',
          percent: 100,
          revisions: [{ revisionName: 'named-00001', percent: 100 }],
          stepParams: {},
        },
      ],
    });
  }),
  row('ING-43, ING-40', 'A ready Ingress says where its gateways are', async (cluster) => {
    await named(cluster);
    const { status } = await cluster.get(INGRESS, 'named');
    expect(status?.conditions?.map(({ type }) => type)).toEqual([
      'LoadBalancerReady',
      'NetworkConfigured',
      'Ready',
    ]);
    expect(at(status, 'publicLoadBalancer.ingress')).toHaveLength(1);
    expect(at(status, 'privateLoadBalancer.ingress')).toHaveLength(1);
  }),
  row('CP-312', 'The http-protocol annotation sets the option of the Ingress', async (cluster) => {
    const annotations = { [`${NET}/http-protocol`]: 'Redirected' };
    await cluster.create(service('redirected', { metadata: { annotations } }));
    await cluster.eventually(INGRESS, 'redirected', ({ spec }) => {
      expect(spec?.['httpOption']).toBe('Redirected');
    });
  }),
  row('ING-32', 'Plain HTTP is redirected where the Ingress says so', async (cluster) => {
    const annotations = { [`${NET}/http-protocol`]: 'redirected' };
    await cluster.deploy(service('to-https', { metadata: { annotations } }));
    const answer = await cluster.ask('to-https.default.localhost', { path: '/a?b=c' });
    expect(answer.status).toBe(301);
    expect(answer.headers.location).toBe('https://to-https.default.localhost/a?b=c');
  }),
  row('CP-305, ING-2', 'An Ingress of another class is not served', async (cluster) => {
    const annotations = { [`${NET}/ingress.class`]: 'other.ingress.networking.knative.dev' };
    await cluster.create(service('classy', { metadata: { annotations } }));
    await cluster.eventually(INGRESS, 'classy');
    await cluster.eventually(ROUTE, 'classy', (object) => {
      expect(condition(object, 'IngressReady')).toMatchObject({
        status: 'Unknown',
        reason: 'IngressNotConfigured',
      });
    });
    expect((await cluster.ask('classy.default.localhost')).status).toBe(404);
  }),
];

const placeholders: readonly ServingRow[] = [
  row('CP-320', 'Each name has a placeholder Service owned by the Route', async (cluster) => {
    await named(cluster);
    const route = await cluster.get(ROUTE, 'named');
    for (const name of ['named', 'v1-named']) {
      const { metadata } = await cluster.get(CORE_SERVICE, name);
      expect(metadata.labels?.['serving.knative.dev/route']).toBe('named');
      expect(metadata.ownerReferences).toMatchObject([{ kind: 'Route', uid: route.metadata.uid }]);
    }
  }),
  row('CP-323', 'A placeholder Service leads to the gateway inside', async (cluster) => {
    await named(cluster);
    const lb = at(await cluster.get(INGRESS, 'named'), 'status.privateLoadBalancer.ingress.0');
    const { domainInternal } = lb as { domainInternal?: string };
    await cluster.eventually(CORE_SERVICE, 'named', ({ spec }) => {
      if (domainInternal === undefined) expect(spec?.['type']).toBe('ClusterIP');
      else expect(spec).toMatchObject({ type: 'ExternalName', externalName: domainInternal });
    });
  }),
  row(
    'CP-322',
    'The placeholder of a tag that goes is deleted, and its host is unknown',
    async (cluster) => {
      const main = { latestRevision: true, percent: 100 };
      const tag = { latestRevision: true, percent: 0, tag: 'gone' };
      await cluster.deploy(service('untag', { traffic: [main, tag] }));
      expect((await cluster.ask('gone-untag.default.localhost')).status).toBe(200);
      await cluster.patch(SERVICE, 'untag', { spec: { traffic: [main] } });
      await cluster.gone(CORE_SERVICE, 'gone-untag');
      await cluster.eventuallyAnswers('gone-untag.default.localhost', ({ status }) => {
        expect(status).toBe(404);
      });
    },
  ),
  row('CP-322, CP-302', 'A tag that is renamed answers under its new name', async (cluster) => {
    const target = { latestRevision: true, percent: 100 };
    await cluster.deploy(service('retag', { traffic: [{ ...target, tag: 'one' }] }));
    await cluster.patch(SERVICE, 'retag', { spec: { traffic: [{ ...target, tag: 'other' }] } });
    const { status } = await cluster.ready(SERVICE, 'retag');
    expect(at(status, 'traffic.0.url')).toBe('http://other-retag.default.localhost');
    expect((await cluster.ask('other-retag.default.localhost')).status).toBe(200);
    await cluster.gone(CORE_SERVICE, 'one-retag');
  }),
  row('CP-321', 'A Service of the name that is not its own fails the Route', async (cluster) => {
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'occupied', namespace: 'default' },
      spec: { ports: [{ port: 80 }] },
    });
    await cluster.create(configuration('tenant'));
    await cluster.create(route('occupied', [{ configurationName: 'tenant', percent: 100 }]));
    await cluster.eventually(ROUTE, 'occupied', (object) => {
      expect(condition(object, 'IngressReady')).toMatchObject({
        status: 'False',
        reason: 'NotOwned',
        message: 'There is an existing placeholder Service "occupied" that we do not own.',
      });
    });
  }),
  row(
    'CP-481, CP-482, CP-483',
    'A Revision has a public Service with Endpoints and a private one',
    async (cluster) => {
      await named(cluster);
      const open = await cluster.get(CORE_SERVICE, 'named-00001');
      expect(open.metadata.labels).toMatchObject({ [`${INTERNAL}/serviceType`]: 'Public' });
      expect(open.spec).not.toHaveProperty('selector');
      expect(at(open, 'spec.ports.0')).toMatchObject({ name: 'http', port: 80, targetPort: 8012 });
      const own = await cluster.get(CORE_SERVICE, 'named-00001-private');
      expect(own.metadata.labels).toMatchObject({ [`${INTERNAL}/serviceType`]: 'Private' });
      const ports = own.spec?.['ports'] as { name: string }[];
      expect(ports.map(({ name }) => name)).toContain('http-autometric');
      const endpoints = await cluster.get(ENDPOINTS, 'named-00001');
      expect(endpoints.metadata.ownerReferences).toMatchObject([{ kind: 'ServerlessService' }]);
    },
  ),
];

const visibility: readonly ServingRow[] = [
  row('CP-300, CP-303', 'A cluster-local Service has a URL of the cluster', async (cluster) => {
    const { status } = await inside(cluster);
    expect(status?.['url']).toBe('http://inside.default.svc.cluster.local');
  }),
  row('ING-96, ING-20', 'A cluster-local Service is not reached from outside', async (cluster) => {
    await inside(cluster);
    for (const host of ['inside.default.localhost', 'inside.default.svc.cluster.local']) {
      expect((await cluster.ask(host)).status).toBe(404);
    }
  }),
  row(
    'ING-96, ING-21',
    'A cluster-local Service answers inside by all three names',
    async (cluster) => {
      await inside(cluster);
      for (const end of ['', '.svc', '.svc.cluster.local']) {
        const answer = await cluster.ask(`inside.default${end}`, { isLocal: true });
        expect(answer).toMatchObject({
          status: 200,
          body: expect.stringContaining('inside-00001'),
        });
      }
    },
  ),
  row('CP-308', 'A public Service answers inside too', async (cluster) => {
    await named(cluster);
    const answer = await cluster.ask('named.default.svc.cluster.local', { isLocal: true });
    expect(answer.status).toBe(200);
  }),
  row(
    'CP-300, ING-24',
    'A Service made cluster-local is no longer reached from outside',
    async (cluster) => {
      await cluster.deploy(service('hidden', { isAwake: true }));
      expect((await cluster.ask('hidden.default.localhost')).status).toBe(200);
      const set = (value: string | null) =>
        cluster.patch(SERVICE, 'hidden', {
          metadata: { labels: { [`${NET}/visibility`]: value } },
        });
      await set('cluster-local');
      await cluster.eventuallyAnswers('hidden.default.localhost', ({ status }) => {
        expect(status).toBe(404);
      });
      await set(null);
      await cluster.eventuallyAnswers('hidden.default.localhost', ({ status }) => {
        expect(status).toBe(200);
      });
    },
  ),
  row('CP-300', 'A label on the placeholder of a tag hides that tag only', async (cluster) => {
    const main = { latestRevision: true, percent: 100 };
    const tag = { latestRevision: true, percent: 0, tag: 'dark' };
    await cluster.deploy(service('lit', { traffic: [main, tag], isAwake: true }));
    const labels = { [`${NET}/visibility`]: 'cluster-local' };
    await cluster.patch(CORE_SERVICE, 'dark-lit', { metadata: { labels } });
    await cluster.eventually(ROUTE, 'lit', ({ status }) => {
      expect(at(status, 'traffic.1.url')).toBe('http://dark-lit.default.svc.cluster.local');
      expect(status?.['url']).toBe('http://lit.default.localhost');
    });
    await cluster.eventuallyAnswers('dark-lit.default.localhost', ({ status }) => {
      expect(status).toBe(404);
    });
    expect((await cluster.ask('lit.default.localhost')).status).toBe(200);
  }),
];

const hosts: readonly ServingRow[] = [
  row('ING-18', 'A host nobody has is 404', async (cluster) => {
    expect((await cluster.ask('nobody.default.localhost')).status).toBe(404);
  }),
  row('ING-22, ING-10', 'A host may come with a port and in capitals', async (cluster) => {
    await named(cluster);
    for (const host of ['named.default.localhost:8080', 'NAMED.Default.LocalHost']) {
      expect((await cluster.ask(host)).status).toBe(200);
    }
  }),
  aloneRow(
    'CP-310, ING-95',
    'With tag-header-based-routing a header chooses the tag',
    async (cluster) => {
      const isOn = { 'tag-header-based-routing': 'enabled' };
      await cluster.configured('config-features', isOn, async () => {
        const main = { revisionName: 'headed-00001', percent: 100 };
        const tag = { latestRevision: true, percent: 0, tag: 'next' };
        await cluster.deploy(service('headed', { isAwake: true }));
        await cluster.patch(SERVICE, 'headed', {
          spec: { template: template({ env: { A: '2' }, isAwake: true }), traffic: [main, tag] },
        });
        await cluster.ready(SERVICE, 'headed');
        const revisionFor = async (headers: Record<string, string>) =>
          /headed-0000\d/.exec(
            (await cluster.ask('headed.default.localhost', { headers })).body,
          )?.[0];
        expect(await revisionFor({ 'Knative-Serving-Tag': 'next' })).toBe('headed-00002');
        expect(await revisionFor({ 'Knative-Serving-Tag': 'unknown' })).toBe('headed-00001');
        expect(await revisionFor({ 'Knative-Serving-Tag': '' })).toBe('headed-00001');
        expect(await revisionFor({})).toBe('headed-00001');
      });
    },
  ),
];

export const routingRows: readonly ServingRow[] = [
  ...ingress,
  ...placeholders,
  ...visibility,
  ...hosts,
];
