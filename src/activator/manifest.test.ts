// What we ship for Kubernetes is what the process and the specification expect of each other.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readActivatorSettings } from './process-settings.ts';

interface Manifest {
  kind: string;
  metadata: { name: string };
  // Read by path; what is absent fails the comparison.
  [field: string]: unknown;
}

const file = new URL('../../config/activator.yaml', import.meta.url);
const objects = parseAllDocuments(readFileSync(file, 'utf8')).map(
  (document) => document.toJS() as Manifest,
);
const the = (kind: string): Manifest => objects.find((object) => object.kind === kind)!;
const spec = (kind: string) => the(kind)['spec'] as Record<string, never>;
const container = () => {
  const { template } = spec('Deployment') as unknown as {
    template: { spec: { containers: Record<string, unknown>[]; [field: string]: unknown } };
  };
  return { pod: template.spec, ...template.spec.containers[0] } as Record<string, unknown>;
};

it('ACT-216, ACT-217: one to twenty at 100 % CPU, four fifths always there', () => {
  expect(spec('HorizontalPodAutoscaler')).toMatchObject({
    minReplicas: 1,
    maxReplicas: 20,
    metrics: [{ resource: { name: 'cpu', target: { averageUtilization: 100 } } }],
  });
  expect(the('PodDisruptionBudget').metadata.name).toBe('activator-pdb');
  expect(spec('PodDisruptionBudget')).toMatchObject({ minAvailable: '80%' });
});

it('ACT-211, ACT-218, ACT-219: resources, probes, grace period', () => {
  expect(container()).toMatchObject({
    args: ['activator'],
    pod: { terminationGracePeriodSeconds: 600, serviceAccountName: 'activator' },
    resources: {
      requests: { cpu: '300m', memory: '60Mi' },
      limits: { cpu: '1000m', memory: '600Mi' },
    },
    readinessProbe: { httpGet: { port: 8012 }, periodSeconds: 5, failureThreshold: 5 },
    livenessProbe: { initialDelaySeconds: 15, periodSeconds: 10, failureThreshold: 12 },
    securityContext: { runAsNonRoot: true, readOnlyRootFilesystem: true },
  });
});

it('ACT-5: its environment is one the process starts in', () => {
  const env = container()['env'] as { name: string; value?: string }[];
  const values = Object.fromEntries(env.map(({ name, value }) => [name, value ?? '10.0.0.1']));
  expect(readActivatorSettings(values, '').port).toBe(8012);
});

it('ACT-220: the Service has the ports others know', () => {
  const { ports } = spec('Service') as unknown as {
    ports: { name: string; port: number; targetPort: number }[];
  };
  expect(ports.map(({ name, port, targetPort }) => `${name} ${port} ${targetPort}`)).toEqual([
    'http-metrics 9090 9090',
    'http-profiling 8008 8008',
    'http 80 8012',
    'http2 81 8013',
    'https 443 8112',
  ]);
});

it('ACT-11: it may read what it reads, and write nothing', () => {
  const rules = objects.flatMap((object) => (object['rules'] ?? []) as { verbs: string[] }[]);
  expect(new Set(rules.flatMap(({ verbs }) => verbs))).toEqual(new Set(['get', 'list', 'watch']));
  expect(the('ClusterRole')['rules']).toMatchObject([
    { resources: ['services', 'endpoints'] },
    { resources: ['revisions'] },
  ]);
  expect(the('Role')['rules']).toMatchObject([{ resources: ['configmaps', 'secrets'] }]);
});
