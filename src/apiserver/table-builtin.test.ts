// Cells of the built-in kinds; every kind has as many cells as columns.

import { expect, test } from 'vitest';
import type { Kind } from '../api/kinds.ts';
import {
  ALL_KINDS,
  ConfigMap,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  findKind,
  HorizontalPodAutoscaler,
  Pod,
} from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { tableShapeOf } from './table.ts';

const NOW_MS = Date.parse('2026-11-21T00:10:00Z');
const metadata = { name: 'x', namespace: 'ns', creationTimestamp: '2026-11-21T00:00:00Z' };
const cells = (kind: Kind, object: object): unknown[] =>
  tableShapeOf(kind).cells({ metadata, ...object } as unknown as KubeObject, NOW_MS);

const running = { ready: true, restartCount: 2, state: { running: {} } };

test.each([
  ['a bare pod', {}, ['0/0', 'Unknown', '0']],
  ['pending', { status: { phase: 'Pending' } }, ['0/0', 'Pending', '0']],
  [
    'running',
    {
      spec: { containers: [{}, {}], nodeName: 'local' },
      status: { phase: 'Running', podIP: '127.1.0.1', containerStatuses: [running, running] },
    },
    ['2/2', 'Running', '4'],
  ],
  [
    'crashing',
    {
      spec: { containers: [{}] },
      status: {
        phase: 'Running',
        containerStatuses: [
          { ready: false, restartCount: 5, state: { waiting: { reason: 'CrashLoopBackOff' } } },
        ],
      },
    },
    ['0/1', 'CrashLoopBackOff', '5'],
  ],
  [
    'ended with a code',
    {
      spec: { containers: [{}] },
      status: {
        phase: 'Failed',
        containerStatuses: [
          { ready: false, restartCount: 0, state: { terminated: { exitCode: 3 } } },
        ],
      },
    },
    ['0/1', 'ExitCode:3', '0'],
  ],
  [
    'going',
    { metadata: { ...metadata, deletionTimestamp: 'x' }, status: { phase: 'Running' } },
    ['0/0', 'Terminating', '0'],
  ],
])('KN-144: a pod that is %s', (_what, pod, expected) => {
  expect(cells(Pod, pod).slice(1, 4)).toEqual(expected);
});

test('KN-144: deployments, services, endpoints, configmaps and events', () => {
  const deployment = {
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'x' } },
      template: { spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
    status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
  };
  expect(cells(Deployment, deployment)).toEqual(['x', '1/3', 2, 1, '10m', 'c', 'i', 'app=x']);
  const service = { spec: { type: 'ExternalName', externalName: 'far', ports: [{ port: 80 }] } };
  const coreService = findKind('v1', 'Service')!;
  expect(cells(coreService, service)).toEqual([
    'x',
    'ExternalName',
    '<none>',
    'far',
    '80/TCP',
    '10m',
    '<none>',
  ]);
  const addresses = ['1', '2', '3', '4'].map((ip) => ({ ip }));
  const endpoints = { subsets: [{ addresses, ports: [{ port: 8012 }] }] };
  expect(cells(Endpoints, endpoints)[1]).toBe('1:8012,2:8012,3:8012 + 1 more...');
  expect(cells(ConfigMap, { data: { a: '', b: '' }, binaryData: { c: '' } })).toEqual([
    'x',
    3,
    '10m',
  ]);
  const event = {
    type: 'Warning',
    reason: 'Bad',
    message: ' text\n',
    involvedObject: { kind: 'Service', name: 'hello' },
    lastTimestamp: '2026-11-21T00:09:00Z',
  };
  expect(cells(Event, event).slice(0, 7)).toEqual([
    '60s',
    'Warning',
    'Bad',
    'service/hello',
    '',
    '',
    'text',
  ]);
});

test.each(ALL_KINDS.map((kind) => [`${kind.group}/${kind.kind}`, kind] as const))(
  'KN-142: %s has as many cells as columns, even for an empty object',
  (_name, kind) => {
    expect(cells(kind, {})).toHaveLength(tableShapeOf(kind).columns.length);
  },
);

test('KN-144: an autoscaler shows what it measures beside what it wants', () => {
  const metric = (name: string, value: object) => ({
    type: 'Resource',
    resource: { name, target: { averageUtilization: 80 }, current: value },
  });
  const spec = {
    scaleTargetRef: { kind: 'Deployment', name: 'web' },
    maxReplicas: 5,
    metrics: [metric('cpu', {}), metric('memory', {}), metric('other', {})],
  };
  const status = {
    currentReplicas: 2,
    currentMetrics: [metric('cpu', { averageUtilization: 10 })],
  };
  expect(cells(HorizontalPodAutoscaler, { spec, status })).toEqual([
    'x',
    'Deployment/web',
    'cpu: 10%/80%, memory: <unknown>/80% + 1 more...',
    '<unset>',
    '5',
    2,
    '10m',
  ]);
  expect(cells(HorizontalPodAutoscaler, {}).slice(1, 3)).toEqual(['<none>', '<none>']);
});

test('KN-144: a slice shows its ports and its first addresses', () => {
  const slice = {
    addressType: 'IPv4',
    ports: [{ port: 80 }, {}],
    endpoints: ['1', '2', '3', '4'].map((last) => ({ addresses: [`10.0.0.${last}`] })),
  };
  const shown = ['x', 'IPv4', '80,*', '10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...', '10m'];
  expect(cells(EndpointSlice, slice)).toEqual(shown);
  expect(cells(EndpointSlice, { ports: null }).slice(2, 4)).toEqual(['<unset>', '<unset>']);
});
