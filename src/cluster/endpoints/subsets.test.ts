// The table of pods and the subsets they make.

import { describe, expect, test } from 'vitest';
import type { CoreService, Pod } from '../../api/core.ts';
import { PORT_MAP_ANNOTATION } from '../../api/labels.ts';
import { buildSubsets, MAX_ENDPOINT_ADDRESSES } from './subsets.ts';

const service: CoreService = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'ns', name: 'hello-private' },
  spec: {
    selector: { app: 'hello' },
    ports: [
      { name: 'http', port: 80, targetPort: 8012 },
      { name: 'http-autometric', port: 9090, targetPort: 'http-autometric' },
    ],
  },
};

interface Given {
  ip?: string;
  ready?: boolean;
  portMap?: string;
  phase?: 'Running' | 'Failed' | 'Succeeded';
  isTerminating?: boolean;
  hasNoPorts?: boolean;
}

function pod(name: string, given: Given = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'ns',
      name,
      uid: `uid-${name}`,
      ...(given.portMap === undefined
        ? {}
        : { annotations: { [PORT_MAP_ANNOTATION]: given.portMap } }),
      ...(given.isTerminating === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      nodeName: 'local',
      containers: [
        {
          name: 'queue-proxy',
          ports:
            given.hasNoPorts === true
              ? []
              : [{ name: 'http-autometric', containerPort: 9090 }, { containerPort: 8012 }],
        },
      ],
    },
    status: {
      phase: given.phase ?? 'Running',
      ...(given.ip === undefined ? {} : { podIP: given.ip }),
      conditions: [{ type: 'Ready', status: given.ready === true ? 'True' : 'False' }],
    },
  };
}

const ports = (http: number, autometric: number): object[] => [
  { name: 'http', port: http, protocol: 'TCP' },
  { name: 'http-autometric', port: autometric, protocol: 'TCP' },
];
const address = (name: string, ip: string): object => ({
  ip,
  nodeName: 'local',
  targetRef: { kind: 'Pod', namespace: 'ns', name, uid: `uid-${name}` },
});

describe('CP-518: subsets', () => {
  const rows: { name: string; pods: Pod[]; expected: object[] }[] = [
    { name: 'no pods, no subsets', pods: [], expected: [] },
    { name: 'a pod without an address does not count', pods: [pod('a')], expected: [] },
    {
      name: 'a pod with an address is not ready yet',
      pods: [pod('a', { ip: '127.1.0.1' })],
      expected: [{ notReadyAddresses: [address('a', '127.1.0.1')], ports: ports(8012, 9090) }],
    },
    {
      name: 'a ready pod',
      pods: [pod('a', { ip: '127.1.0.1', ready: true })],
      expected: [{ addresses: [address('a', '127.1.0.1')], ports: ports(8012, 9090) }],
    },
    {
      name: 'a terminating pod leaves both lists at once',
      pods: [
        pod('a', { ip: '127.1.0.1', ready: true, isTerminating: true }),
        pod('b', { ip: '127.1.0.2', isTerminating: true }),
      ],
      expected: [],
    },
    {
      name: 'finished pods do not count',
      pods: [
        pod('a', { ip: '127.1.0.1', ready: true, phase: 'Failed' }),
        pod('b', { ip: '127.1.0.2', ready: true, phase: 'Succeeded' }),
      ],
      expected: [],
    },
    {
      name: 'addresses are sorted whatever the order of the pods',
      pods: [
        pod('b', { ip: '127.1.0.2', ready: true }),
        pod('a', { ip: '127.1.0.1', ready: true }),
      ],
      expected: [
        {
          addresses: [address('a', '127.1.0.1'), address('b', '127.1.0.2')],
          ports: ports(8012, 9090),
        },
      ],
    },
    {
      name: 'pods with the same port map share a subset, others have their own',
      pods: [
        pod('a', { ip: '127.0.0.1', ready: true, portMap: '{"8012":20001,"9090":20002}' }),
        pod('b', { ip: '127.0.0.1', ready: true, portMap: '{"8012":20003,"9090":20004}' }),
        pod('c', { ip: '127.1.0.3', ready: true, portMap: '{"8012":8012,"9090":9090}' }),
        pod('d', { ip: '127.1.0.4' }),
      ],
      expected: [
        { addresses: [address('a', '127.0.0.1')], ports: ports(20001, 20002) },
        { addresses: [address('b', '127.0.0.1')], ports: ports(20003, 20004) },
        {
          addresses: [address('c', '127.1.0.3')],
          notReadyAddresses: [address('d', '127.1.0.4')],
          ports: ports(8012, 9090),
        },
      ],
    },
    {
      name: 'an unreadable port map is no port map',
      pods: [pod('a', { ip: '127.1.0.1', ready: true, portMap: '{"8012"' })],
      expected: [{ addresses: [address('a', '127.1.0.1')], ports: ports(8012, 9090) }],
    },
    {
      name: 'a port name the pod does not have is left out for that pod',
      pods: [pod('a', { ip: '127.1.0.1', ready: true, hasNoPorts: true })],
      expected: [
        {
          addresses: [address('a', '127.1.0.1')],
          ports: [{ name: 'http', port: 8012, protocol: 'TCP' }],
        },
      ],
    },
  ];
  for (const { name, pods, expected } of rows) {
    test(name, () => {
      expect(buildSubsets(service, pods)).toEqual(expected);
      expect(buildSubsets(service, [...pods].reverse())).toEqual(expected);
    });
  }

  test('a target port left out is the port itself, and appProtocol is carried over', () => {
    const plain = {
      ...service,
      spec: { ports: [{ name: 'h2', port: 81, appProtocol: 'kubernetes.io/h2c' }] },
    };
    const [subset] = buildSubsets(plain, [pod('a', { ip: '127.1.0.1' })]);
    expect(subset?.ports).toEqual([
      { name: 'h2', port: 81, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' },
    ]);
  });

  test('a pod with none of the ports is left out, a Service without ports takes every pod', () => {
    const named = { ...service, spec: { ports: [{ port: 80, targetPort: 'none' }] } };
    expect(buildSubsets(named, [pod('a', { ip: '127.1.0.1' })])).toEqual([]);
    const headless = { ...service, spec: { clusterIP: 'None' } };
    expect(buildSubsets(headless, [pod('a', { ip: '127.1.0.1', ready: true })])).toEqual([
      { addresses: [address('a', '127.1.0.1')] },
    ]);
  });

  test('at the limit of addresses the ready ones stay', () => {
    const unready = Array.from({ length: 10 }, (_, index) => pod(`n${index}`, { ip: `a${index}` }));
    const ready = Array.from({ length: MAX_ENDPOINT_ADDRESSES }, (_, index) =>
      pod(`r${index}`, { ip: `b${index}`, ready: true }),
    );
    const [subset] = buildSubsets(service, [...unready, ...ready]);
    expect(subset?.addresses).toHaveLength(MAX_ENDPOINT_ADDRESSES);
    expect(subset?.notReadyAddresses).toBeUndefined();
  });
});
