// Config maps that change while everything runs: taken up without a restart, refused when they do not
// parse. Each row puts back what it changed; those that no other row could notice run beside the rest.

import { expect } from 'vitest';
import { at, type Cluster } from '../cluster.ts';
import { service } from '../objects.ts';
import { type AnyObject, CONFIG_MAP, ROUTE, SYSTEM_NAMESPACE } from '../resources.ts';
import { aloneRow, row, type ServingRow } from '../row.ts';
import { app, deployed, IMAGE } from './app.ts';

const LIMIT = { timeout: 20_000 };

const dryRun = async (cluster: Cluster, object: AnyObject) => {
  const { code, body } = await cluster.post(object, '?dryRun=All');
  return { code, ...(body as { message?: string; spec?: AnyObject['spec'] }) };
};

/** What defaulting makes of a plain Service. */
const defaulted = async (cluster: Cluster) =>
  at(await dryRun(cluster, app('defaulted')), 'spec.template.spec');

const refusalOf = async (cluster: Cluster, map: string, key: string, value: string) => {
  const data = { [key]: value };
  const { code, body } = await cluster.change(CONFIG_MAP, map, { data }, SYSTEM_NAMESPACE);
  return { code, message: (body as { message?: string }).message ?? '' };
};

/** Map, key and a value it cannot have, with the words of the refusal. */
const INVALID: readonly [string, string, string, string][] = [
  ['config-autoscaler', 'max-scale-up-rate', '1', 'max-scale-up-rate = 1'],
  [
    'config-defaults',
    'revision-timeout-seconds',
    'soon',
    'failed to parse "revision-timeout-seconds"',
  ],
  [
    'config-defaults',
    'revision-timeout-seconds',
    '601',
    'revision-timeout-seconds (601) cannot be greater than max-revision-timeout-seconds (600)',
  ],
  ['config-defaults', 'container-name-template', '{{.Nobody', 'container-name-template'],
  [
    'config-deployment',
    'progress-deadline',
    '0s',
    'progress-deadline cannot be a non-positive duration, was 0s',
  ],
  ['config-domain', 'example.com', '[not, a, mapping', 'example.com'],
  ['config-observability', 'tracing-protocol', 'pigeon', 'pigeon'],
  ['config-observability', 'logging.request-log-template', '{{.Nobody', 'request'],
];

export const configMapRows: readonly ServingRow[] = [
  ...INVALID.map(([map, key, value, words]) =>
    row('WH-170, CP-100', `${map} with ${key}: ${value} is refused`, async (cluster) => {
      const { code, message } = await refusalOf(cluster, map, key, value);
      expect(code).toBe(400);
      expect(message).toContain('denied the request: validation failed: ');
      expect(message).toContain(words);
    }),
  ),
  row('CP-103', 'config-features takes any value: unknown ones change nothing', async (cluster) => {
    const data = { 'kubernetes.podspec-tolerations': 'perhaps' };
    await cluster.configured('config-features', data, async () => {
      const tolerations = [{ operator: 'Exists' }];
      expect((await dryRun(cluster, app('tolerant', { spec: { tolerations } }))).code).toBe(400);
    });
  }),
  row(
    'CP-106, CP-107',
    'A domain of config-domain is for Routes with its labels',
    async (cluster) => {
      const domain = 'apps.example.com';
      const data = { [domain]: 'selector:\n  team: apps\n' };
      await cluster.configured('config-domain', data, async () => {
        const labels = { team: 'apps' };
        await cluster.create(service('moved', { metadata: { labels } }));
        await cluster.eventually(ROUTE, 'moved', ({ status }) => {
          expect(status?.url).toBe(`http://moved.default.${domain}`);
        });
      });
      await cluster.eventually(ROUTE, 'moved', ({ status }) => {
        expect(status?.url).toBe('http://moved.default.localhost');
      });
    },
  ),
  row('CP-300', 'A Route labelled cluster-local has no public host', async (cluster) => {
    const labels = { 'networking.knative.dev/visibility': 'cluster-local' };
    await cluster.create(service('inner', { metadata: { labels } }));
    await cluster.ready(ROUTE, 'inner');
    const host = 'inner.default.svc.cluster.local';
    expect(at(await cluster.get(ROUTE, 'inner'), 'status.url')).toBe(`http://${host}`);
    await cluster.eventuallyAnswers(host, ({ status }) => expect(status).toBe(200), {
      isLocal: true,
    });
    expect((await cluster.ask(host)).status).toBe(404);
  }),
  aloneRow(
    'CP-101, WH-32',
    'config-defaults gives new Services their timeouts',
    async (cluster) => {
      const data = {
        'revision-timeout-seconds': '120',
        'revision-response-start-timeout-seconds': '60',
        'revision-idle-timeout-seconds': '30',
      };
      await cluster.configured('config-defaults', data, async () => {
        await expect
          .poll(() => defaulted(cluster), LIMIT)
          .toMatchObject({
            timeoutSeconds: 120,
            responseStartTimeoutSeconds: 60,
            idleTimeoutSeconds: 30,
          });
      });
      await expect.poll(() => defaulted(cluster), LIMIT).toMatchObject({ timeoutSeconds: 300 });
    },
  ),
  aloneRow('CP-101, WH-67', 'max-revision-timeout-seconds moves the bound', async (cluster) => {
    const long = app('lasting', { spec: { timeoutSeconds: 900 } });
    expect((await dryRun(cluster, long)).code).toBe(400);
    await cluster.configured(
      'config-defaults',
      { 'max-revision-timeout-seconds': '1000' },
      async () => {
        await expect.poll(async () => (await dryRun(cluster, long)).code, LIMIT).toBe(201);
      },
    );
  }),
  aloneRow('CP-101, WH-34', 'config-defaults gives resources and concurrency', async (cluster) => {
    const data = {
      'revision-cpu-request': '100m',
      'revision-memory-limit': '64Mi',
      'container-concurrency': '7',
    };
    await cluster.configured('config-defaults', data, async () => {
      await expect
        .poll(() => defaulted(cluster), LIMIT)
        .toMatchObject({
          containerConcurrency: 7,
          containers: [{ resources: { requests: { cpu: '100m' }, limits: { memory: '64Mi' } } }],
        });
    });
  }),
  aloneRow(
    'CP-101, WH-67',
    'allow-container-concurrency-zero can be taken back',
    async (cluster) => {
      const data = { 'allow-container-concurrency-zero': 'false', 'container-concurrency': '1' };
      const unlimited = app('boundless', { spec: { containerConcurrency: 0 } });
      await cluster.configured('config-defaults', data, async () => {
        await expect
          .poll(async () => (await dryRun(cluster, unlimited)).message ?? '', LIMIT)
          .toContain('expected 1 <= 0 <= 1000: spec.template.spec.containerConcurrency');
      });
    },
  ),
  aloneRow('CP-101, WH-33', 'container-name-template names containers', async (cluster) => {
    const data = { 'container-name-template': '{{.Name}}-main' };
    await cluster.configured('config-defaults', data, async () => {
      await expect
        .poll(() => defaulted(cluster), LIMIT)
        .toMatchObject({ containers: [{ name: 'defaulted-main' }] });
    });
  }),
  ...(
    [
      ['nodeselector', { nodeSelector: { disk: 'fast' } }],
      ['tolerations', { tolerations: [{ operator: 'Exists' }] }],
      ['priorityclassname', { priorityClassName: 'first' }],
      ['dnspolicy', { dnsPolicy: 'Default' }],
      ['hostaliases', { hostAliases: [{ ip: '127.0.0.1', hostnames: ['a.test'] }] }],
    ] as const
  ).map(([name, spec]) =>
    aloneRow('CP-103, WH-70', `podspec-${name} Allowed admits the field`, async (cluster) => {
      const object = app('featured', { spec });
      expect((await dryRun(cluster, object)).code).toBe(400);
      const data = { [`kubernetes.podspec-${name}`]: 'Allowed' };
      await cluster.configured('config-features', data, async () => {
        await expect.poll(async () => (await dryRun(cluster, object)).code, LIMIT).toBe(201);
      });
    }),
  ),
  aloneRow('CP-103, WH-72', 'multi-container off refuses a second container', async (cluster) => {
    const object = app('duo', {
      container: { ports: [{ containerPort: 8080 }] },
      beside: [{ name: 'b', image: IMAGE }],
    });
    expect((await dryRun(cluster, object)).code).toBe(201);
    await cluster.configured('config-features', { 'multi-container': 'Disabled' }, async () => {
      await expect
        .poll(async () => (await dryRun(cluster, object)).message ?? '', LIMIT)
        .toContain('multi-container is off, but found 2 containers');
    });
  }),
  aloneRow('CP-103, WH-37', 'secure-pod-defaults fills in what is safe', async (cluster) => {
    await cluster.configured('config-features', { 'secure-pod-defaults': 'Enabled' }, async () => {
      await expect
        .poll(() => defaulted(cluster), LIMIT)
        .toMatchObject({
          containers: [
            {
              securityContext: {
                allowPrivilegeEscalation: false,
                runAsNonRoot: true,
                capabilities: { drop: ['ALL'] },
                seccompProfile: { type: 'RuntimeDefault' },
              },
            },
          ],
        });
    });
  }),
  aloneRow('CP-103, ING-11', 'tag-header-based-routing lets a header choose', async (cluster) => {
    const host = 'tagged.default.localhost';
    const traffic = [
      { latestRevision: true, percent: 100 },
      { revisionName: 'tagged-one', percent: 0, tag: 'old' },
    ];
    await cluster.deploy(service('tagged', { name: 'tagged-one' }));
    const spec = service('tagged', { name: 'tagged-two', traffic }).spec;
    await cluster.patch('serving.knative.dev/v1/services', 'tagged', { spec });
    const headers = { 'knative-serving-tag': 'old' };
    await cluster.eventuallyAnswers(host, ({ body }) => expect(body).toContain('tagged-two'));
    await cluster.configured(
      'config-features',
      { 'tag-header-based-routing': 'Enabled' },
      async () => {
        // The next change of the Route takes it up.
        const annotations = { touched: 'yes' };
        await cluster.patch('serving.knative.dev/v1/services', 'tagged', {
          metadata: { annotations },
        });
        await cluster.eventuallyAnswers(host, ({ body }) => expect(body).toContain('tagged-one'), {
          headers,
        });
        expect((await cluster.ask(host)).body).toContain('tagged-two');
      },
    );
  }),
  aloneRow('CP-109, CP-301', 'domain-template shapes the hosts of all Routes', async (cluster) => {
    await cluster.create(service('shaped'));
    await cluster.ready(ROUTE, 'shaped');
    const data = { 'domain-template': '{{.Name}}-in-{{.Namespace}}.{{.Domain}}' };
    await cluster.configured('config-network', data, async () => {
      await cluster.eventually(ROUTE, 'shaped', ({ status }) => {
        expect(status?.url).toBe('http://shaped-in-default.localhost');
      });
      await cluster.eventuallyAnswers('shaped-in-default.localhost', ({ status }) =>
        expect(status).toBe(200),
      );
    });
    await cluster.eventually(ROUTE, 'shaped', ({ status }) => {
      expect(status?.url).toBe('http://shaped.default.localhost');
    });
  }),
  aloneRow('CP-109', 'tag-template shapes the hosts of tags', async (cluster) => {
    await cluster.configured(
      'config-network',
      { 'tag-template': '{{.Name}}--{{.Tag}}' },
      async () => {
        const traffic = [{ latestRevision: true, percent: 100, tag: 'blue' }];
        await cluster.create(service('labelled', { traffic }));
        await cluster.eventually(ROUTE, 'labelled', (object) => {
          expect(at(object, 'status.traffic.0.url')).toBe(
            'http://labelled--blue.default.localhost',
          );
        });
      },
    );
  }),
  row('CP-111, QP-138', 'The request log says what its template asks for', async (cluster) => {
    const host = await deployed(cluster, app('logged'));
    await cluster.ask(host, { path: '/status?code=418' });
    // Sidecars are hosted: what they print, `up` prints.
    await expect
      .poll(() => cluster.pilotlight.lines.map(({ message }) => message), LIMIT)
      .toContain('log of logged /status?code=418 418');
  }),
];
