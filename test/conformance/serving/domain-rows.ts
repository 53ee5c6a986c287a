// Names a user chooses: DomainMappings, and what config-domain and config-network make of Routes.

import { expect } from 'vitest';
import { at, type Cluster, condition } from './cluster.ts';
import { domainMapping, service } from './objects.ts';
import {
  type AnyObject,
  CONFIG_MAP,
  DOMAIN_CLAIM,
  DOMAIN_MAPPING,
  INGRESS,
  ROUTE,
  SERVICE,
  SYSTEM_NAMESPACE,
} from './resources.ts';
import { aloneRow, row, type ServingRow, shared } from './row.ts';

/** Says which host it was asked for. */
const TELLS_HOST = [
  process.execPath,
  '-e',
  'require("http").createServer((q, s) => s.end(JSON.stringify(q.headers))).listen(process.env.PORT)',
];

const mapped = shared(async (cluster) => {
  await cluster.deploy(service('shop', { command: TELLS_HOST, isAwake: true }));
  await cluster.create(domainMapping('shop.example.org', 'shop'));
  return cluster.ready(DOMAIN_MAPPING, 'shop.example.org');
});

async function expectReference(cluster: Cluster, name: string, message: unknown): Promise<void> {
  await cluster.eventually(DOMAIN_MAPPING, name, (object) => {
    const want = { status: 'False', reason: 'ResolveFailed', message };
    expect(condition(object, 'ReferenceResolved')).toMatchObject(want);
    expect(condition(object, 'Ready')).toMatchObject(want);
  });
}

const mappings: readonly ServingRow[] = [
  row('CP-410', 'A DomainMapping has the URL of its name', async (cluster) => {
    expect((await mapped(cluster)).status).toMatchObject({
      url: 'http://shop.example.org',
      address: { url: 'http://shop.example.org' },
    });
  }),
  row('CP-41', 'A DomainMapping has Ready and its four dependents', async (cluster) => {
    const conditions = (await mapped(cluster)).status?.conditions ?? [];
    expect(conditions.map(({ type, status }) => `${type} ${status}`)).toEqual([
      'CertificateProvisioned True',
      'DomainClaimed True',
      'IngressReady True',
      'Ready True',
      'ReferenceResolved True',
    ]);
  }),
  row(
    'CP-430, RC-20',
    'A mapped host reaches the Service, which sees the mapped host',
    async (cluster) => {
      await mapped(cluster);
      const { status, body } = await cluster.ask('shop.example.org');
      expect(status).toBe(200);
      const headers = JSON.parse(body) as Record<string, string>;
      expect(headers['host']).toBe('shop.example.org');
      expect(headers).not.toHaveProperty('k-original-host');
    },
  ),
  row(
    'CP-430',
    'The Ingress of a DomainMapping rewrites the host to the one inside',
    async (cluster) => {
      await mapped(cluster);
      const ingress = await cluster.get(INGRESS, 'shop.example.org');
      expect(at(ingress, 'spec.rules')).toMatchObject([
        {
          hosts: ['shop.example.org'],
          visibility: 'ExternalIP',
          http: {
            paths: [
              {
                rewriteHost: 'shop.default.svc.cluster.local',
                splits: [
                  {
                    serviceName: 'shop',
                    servicePort: 80,
                    percent: 100,
                    appendHeaders: { 'K-Original-Host': 'shop.example.org' },
                  },
                ],
              },
            ],
          },
        },
      ]);
    },
  ),
  row(
    'WH-41',
    'The reference of a DomainMapping is in its own namespace by default',
    async (cluster) => {
      expect(at(await mapped(cluster), 'spec.ref.namespace')).toBe('default');
    },
  ),
  row('WH-31', 'A DomainMapping is marked with who made it', async (cluster) => {
    const { annotations } = (await mapped(cluster)).metadata;
    expect(annotations?.['serving.knative.dev/creator']).toBeTruthy();
  }),
  row('CP-411', 'The claim to the name is made for the namespace', async (cluster) => {
    await mapped(cluster);
    const claim = await cluster.get(DOMAIN_CLAIM, 'shop.example.org');
    expect(claim.spec).toEqual({ namespace: 'default' });
  }),
  row('CP-411', 'A name another namespace has claimed is refused', async (cluster) => {
    await cluster.create({
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'ClusterDomainClaim',
      metadata: { name: 'taken.example.org' },
      spec: { namespace: 'kube-system' },
    });
    await cluster.create(domainMapping('taken.example.org', 'shop'));
    await cluster.eventually(DOMAIN_MAPPING, 'taken.example.org', (object) => {
      expect(condition(object, 'DomainClaimed')).toMatchObject({
        status: 'False',
        reason: 'DomainAlreadyClaimed',
        message: 'The domain name is already in use by another DomainMapping',
      });
    });
    expect((await cluster.ask('taken.example.org')).status).toBe(404);
  }),
  row(
    'CP-412, CP-21',
    'A deleted DomainMapping gives its claim back and answers no more',
    async (cluster) => {
      await mapped(cluster);
      await cluster.create(domainMapping('closing.example.org', 'shop'));
      await cluster.ready(DOMAIN_MAPPING, 'closing.example.org');
      expect((await cluster.ask('closing.example.org')).status).toBe(200);
      await cluster.delete(DOMAIN_MAPPING, 'closing.example.org');
      await cluster.gone(DOMAIN_MAPPING, 'closing.example.org');
      await cluster.gone(DOMAIN_CLAIM, 'closing.example.org');
      await cluster.eventuallyAnswers('closing.example.org', ({ status }) => {
        expect(status).toBe(404);
      });
    },
  ),
  row(
    'CP-420',
    'A DomainMapping to nothing says what is missing, and works when it comes',
    async (cluster) => {
      await cluster.create(domainMapping('soon.example.org', 'soon'));
      await expectReference(cluster, 'soon.example.org', expect.stringContaining('soon'));
      await cluster.deploy(service('soon'));
      await cluster.ready(DOMAIN_MAPPING, 'soon.example.org');
      expect((await cluster.ask('soon.example.org')).body).toContain('soon-00001');
    },
  ),
  row(
    'CP-420',
    'A DomainMapping may name a Service of Kubernetes, such as a tag',
    async (cluster) => {
      const traffic = [{ latestRevision: true, percent: 100, tag: 'v1' }];
      await cluster.deploy(service('target', { traffic }));
      const ref = { apiVersion: 'v1', kind: 'Service', name: 'v1-target' };
      await cluster.create(domainMapping('v1.example.org', '', ref));
      await cluster.ready(DOMAIN_MAPPING, 'v1.example.org');
      expect((await cluster.ask('v1.example.org')).body).toContain('target-00001');
    },
  ),
  row('CP-420', 'A DomainMapping may name a Route', async (cluster) => {
    await cluster.deploy(service('routed'));
    await cluster.create(domainMapping('route.example.org', 'routed', { kind: 'Route' }));
    await cluster.ready(DOMAIN_MAPPING, 'route.example.org');
    expect((await cluster.ask('route.example.org')).status).toBe(200);
  }),
  row('CP-420, WH-141', 'A DomainMapping can be pointed at another Service', async (cluster) => {
    await cluster.deploy(service('first-shop'));
    await cluster.deploy(service('second-shop'));
    await cluster.create(domainMapping('moving.example.org', 'first-shop'));
    await cluster.ready(DOMAIN_MAPPING, 'moving.example.org');
    const spec = { ref: { name: 'second-shop' } };
    await cluster.patch(DOMAIN_MAPPING, 'moving.example.org', { spec });
    await cluster.ready(DOMAIN_MAPPING, 'moving.example.org');
    await cluster.eventuallyAnswers('moving.example.org', ({ body }) => {
      expect(body).toContain('second-shop-00001');
    });
  }),
  row(
    'CP-415',
    'A DomainMapping with a certificate of the user has an https URL',
    async (cluster) => {
      await mapped(cluster);
      const mapping = domainMapping('safe.example.org', 'shop');
      const spec = { ...mapping.spec, tls: { secretName: 'mine' } };
      await cluster.create({ ...mapping, spec });
      await cluster.eventually(DOMAIN_MAPPING, 'safe.example.org', (object) => {
        expect(object.status?.['url']).toBe('https://safe.example.org');
        expect(condition(object, 'CertificateProvisioned')).toMatchObject({
          status: 'True',
          reason: 'CertificateExternallyProvided',
          message: 'TLS certificate was provided externally',
        });
      });
      const ingress = await cluster.eventually(INGRESS, 'safe.example.org');
      expect(ingress.spec?.['tls']).toEqual([
        { hosts: ['safe.example.org'], secretName: 'mine', secretNamespace: 'default' },
      ]);
    },
  ),
  aloneRow(
    'CP-411, CP-109',
    'Without autocreate-cluster-domain-claims a claim must be there',
    async (cluster) => {
      await mapped(cluster);
      const off = { 'autocreate-cluster-domain-claims': 'false' };
      await cluster.configured('config-network', off, async () => {
        await cluster.create(domainMapping('unclaimed.example.org', 'shop'));
        await cluster.eventually(DOMAIN_MAPPING, 'unclaimed.example.org', (object) => {
          expect(condition(object, 'DomainClaimed').reason).toBe('DomainAlreadyClaimed');
        });
        await cluster.create({
          apiVersion: 'networking.internal.knative.dev/v1alpha1',
          kind: 'ClusterDomainClaim',
          metadata: { name: 'unclaimed.example.org' },
          spec: { namespace: 'default' },
        });
        await cluster.ready(DOMAIN_MAPPING, 'unclaimed.example.org');
      });
    },
  ),
];

const url = (want: string) => (object: AnyObject) => expect(object.status?.['url']).toBe(want);

const domains: readonly ServingRow[] = [
  aloneRow(
    'CP-106, CP-107',
    'A domain with a selector is for Routes with its labels',
    async (cluster) => {
      const labels = { app: 'sold' };
      await cluster.deploy(service('chosen', { metadata: { labels }, isAwake: true }));
      const data = { 'shop.example.com': 'selector:\n  app: sold' };
      await cluster.configured('config-domain', data, async () => {
        await cluster.eventually(SERVICE, 'chosen', url('http://chosen.default.shop.example.com'));
        await cluster.eventuallyAnswers('chosen.default.shop.example.com', ({ status }) => {
          expect(status).toBe(200);
        });
        await cluster.patch(SERVICE, 'chosen', { metadata: { labels: { app: null } } });
        await cluster.eventually(SERVICE, 'chosen', url('http://chosen.default.localhost'));
      });
    },
  ),
  aloneRow(
    'CP-107',
    'The domain with most selected labels wins, then the first by name',
    async (cluster) => {
      const labels = { app: 'x', tier: 'y' };
      await cluster.deploy(service('picky', { metadata: { labels } }));
      const data = {
        'a.example.com': 'selector:\n  app: x',
        'c.example.com': 'selector:\n  app: x\n  tier: y',
        'b.example.com': 'selector:\n  app: x\n  tier: y',
      };
      await cluster.configured('config-domain', data, async () => {
        await cluster.eventually(SERVICE, 'picky', url('http://picky.default.b.example.com'));
      });
      await cluster.eventually(SERVICE, 'picky', url('http://picky.default.localhost'));
    },
  ),
  aloneRow(
    'CP-109, CP-301, CP-302, CP-303',
    'domain-template, tag-template and default-external-scheme make the URLs of Routes, and back',
    async (cluster) => {
      const traffic = [{ latestRevision: true, percent: 100, tag: 'v1' }];
      await cluster.deploy(service('styled', { traffic, isAwake: true }));
      const tag = (want: string) => (object: AnyObject) =>
        expect(at(object, 'status.traffic.0.url')).toBe(want);
      const data = {
        'domain-template': '{{.Name}}-{{.Namespace}}.{{.Domain}}',
        'tag-template': '{{.Name}}-{{.Tag}}',
        'default-external-scheme': 'https',
      };
      await cluster.configured('config-network', data, async () => {
        await cluster.eventually(SERVICE, 'styled', url('https://styled-default.localhost'));
        await cluster.eventually(ROUTE, 'styled', tag('https://styled-v1-default.localhost'));
        await cluster.eventuallyAnswers('styled-v1-default.localhost', ({ status }) => {
          expect(status).toBe(200);
        });
        expect((await cluster.ask('styled.default.localhost')).status).toBe(404);
      });
      await cluster.eventually(SERVICE, 'styled', url('http://styled.default.localhost'));
      await cluster.eventually(ROUTE, 'styled', tag('http://v1-styled.default.localhost'));
    },
  ),
  ...(
    [
      [
        'config-network',
        'domain-template',
        '{{.Name}}/{{.Domain}}',
        'domain template has url path',
      ],
      ['config-network', 'rollout-duration', '-1', 'rollout-duration must be a positive integer'],
      [
        'config-network',
        'http-protocol',
        'gopher',
        'httpProtocol gopher in config-network ConfigMap',
      ],
      ['config-gc', 'min-non-active-revisions', '-1', 'must be non-negative'],
      ['config-defaults', 'revision-timeout-seconds', '900', 'cannot be greater than'],
      ['config-deployment', 'progress-deadline', '-1s', 'cannot be a non-positive duration'],
      ['config-autoscaler', 'stable-window', '1s', 'stable-window'],
      ['config-observability', 'metrics-protocol', 'pigeon', 'unsupported protocol "pigeon"'],
    ] as const
  ).map(([name, key, value, want]) =>
    row('WH-170, CP-9', `${name} refuses ${key} = ${value}`, async (cluster) => {
      const answer = await cluster.change(
        CONFIG_MAP,
        name,
        { data: { [key]: value } },
        SYSTEM_NAMESPACE,
      );
      expect(answer.code).toBe(400);
      expect(at(answer.body, 'message')).toContain(want);
    }),
  ),
  row('WH-171', 'A change of the example in a config map is refused', async (cluster) => {
    const stock = await cluster.get(CONFIG_MAP, 'config-gc', SYSTEM_NAMESPACE);
    const annotations = { 'knative.dev/example-checksum': '00000000' };
    const changed = { metadata: { annotations }, data: { ...stock.data, _example: 'x' } };
    const answer = await cluster.change(CONFIG_MAP, 'config-gc', changed, SYSTEM_NAMESPACE);
    expect(at(answer.body, 'message')).toContain('the update modifies a key in "_example"');
  }),
];

export const mappingRows: readonly ServingRow[] = mappings;
export const domainRows: readonly ServingRow[] = domains;
