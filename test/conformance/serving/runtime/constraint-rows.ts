// What a developer may not ask for, and the words in which it is refused. Dry runs: nothing starts.

import { expect } from 'vitest';
import { row, type ServingRow } from '../row.ts';
import { app, scaling } from './app.ts';

const CONTAINER = 'spec.template.spec.containers[0]';

interface Refusal {
  cites: string;
  says: string;
  container?: Record<string, unknown>;
  spec?: Record<string, unknown>;
  annotations?: Record<string, string>;
  /** In the message. */
  words: string;
}

const probe = (readinessProbe: object) => ({ readinessProbe });

const REFUSALS: readonly Refusal[] = [
  {
    cites: 'RC-10, RC-98, WH-85',
    says: 'a port name that is no protocol',
    container: { ports: [{ containerPort: 8888, name: 'grpc' }] },
    words: `Port name grpc is not allowed: ${CONTAINER}.ports`,
  },
  {
    cites: 'RC-98, WH-75',
    says: 'two ports',
    container: { ports: [{ containerPort: 8888, name: 'http1' }, { containerPort: 9999 }] },
    words: 'more than one container port is set: spec.template.spec.containers[*].ports',
  },
  {
    cites: 'RC-101, WH-85',
    says: "a port of the sidecar's",
    container: { ports: [{ containerPort: 8012 }] },
    words: `invalid value: 8012 is a reserved port: ${CONTAINER}.ports.containerPort`,
  },
  {
    cites: 'WH-85',
    says: 'a port beyond the last',
    container: { ports: [{ containerPort: 65_536 }] },
    words: `expected 0 <= 65536 <= 65535: ${CONTAINER}.ports.containerPort`,
  },
  {
    cites: 'WH-85',
    says: 'a port of UDP',
    container: { ports: [{ containerPort: 8888, protocol: 'UDP' }] },
    words: `invalid value: UDP: ${CONTAINER}.ports.protocol`,
  },
  ...['PORT', 'K_SERVICE', 'K_CONFIGURATION', 'K_REVISION'].map((name) => ({
    cites: 'RC-3, WH-82',
    says: `a variable named ${name}`,
    container: { env: [{ name, value: 'mine' }] },
    words: `"${name}" is a reserved environment variable: ${CONTAINER}.env[0].name`,
  })),
  {
    cites: 'WH-83',
    says: 'envFrom of nothing',
    container: { envFrom: [{}] },
    words: 'expected exactly one, got neither',
  },
  {
    cites: 'WH-81',
    says: 'a container called queue-proxy',
    container: { name: 'queue-proxy' },
    words: `"queue-proxy" is a reserved container name: ${CONTAINER}.name`,
  },
  {
    cites: 'WH-84',
    says: 'an image that is none',
    container: { image: 'not an image' },
    words: `Failed to parse image reference: ${CONTAINER}.image`,
  },
  {
    cites: 'WH-87',
    says: 'a termination message policy nobody knows',
    container: { terminationMessagePolicy: 'Whenever' },
    words: `invalid value: Whenever: ${CONTAINER}.terminationMessagePolicy`,
  },
  {
    cites: 'WH-90',
    says: 'a probe of two kinds',
    container: probe({ httpGet: { path: '/' }, tcpSocket: { port: 8080 } }),
    words: 'expected exactly one, got both',
  },
  {
    cites: 'WH-92',
    says: 'thresholds of a probe without period',
    container: probe({ httpGet: { path: '/' }, periodSeconds: 0, failureThreshold: 2 }),
    words: 'failureThreshold is disallowed when periodSeconds is zero',
  },
  {
    cites: 'WH-92',
    says: 'a negative period',
    container: probe({ httpGet: { path: '/' }, periodSeconds: -1 }),
    words: 'expected 0 <= -1 <= 2147483647',
  },
  {
    cites: 'RC-98, WH-100',
    says: 'a user id below zero',
    container: { securityContext: { runAsUser: -10 } },
    words: `expected 0 <= -10 <= 2147483647: ${CONTAINER}.securityContext.runAsUser`,
  },
  {
    cites: 'WH-101',
    says: 'capabilities',
    container: { securityContext: { capabilities: { add: ['NET_ADMIN'] } } },
    words: `must not set the field(s): ${CONTAINER}.securityContext.capabilities.add`,
  },
  ...(
    [
      ['nodeSelector', { disk: 'fast' }],
      ['hostNetwork', true],
      ['priorityClassName', 'first'],
      ['tolerations', [{ operator: 'Exists' }]],
      ['dnsPolicy', 'Default'],
    ] as const
  ).map(([field, value]) => ({
    cites: 'RC-98, WH-70',
    says: `${field} while its feature is off`,
    spec: { [field]: value },
    words: `must not set the field(s): spec.template.spec.${field}`,
  })),
  {
    cites: 'WH-73',
    says: 'init containers while their feature is off',
    spec: { initContainers: [{ name: 'first', image: 'conformance/app' }] },
    words: 'pod spec support for init-containers is off, but found 1 init containers',
  },
  {
    cites: 'WH-120',
    says: 'a volume nobody mounts',
    spec: { volumes: [{ name: 'lone', emptyDir: {} }] },
    words: 'volume with name "lone" not mounted: spec.template.spec.volumes[0].name',
  },
  {
    cites: 'WH-122',
    says: 'a volume of the host while its feature is off',
    container: { volumeMounts: [{ name: 'host', mountPath: '/host' }] },
    spec: { volumes: [{ name: 'host', hostPath: { path: '/' } }] },
    words: 'HostPath volume support is disabled, but found HostPath volume host',
  },
  ...['/', '/dev', '/dev/log'].map((mountPath) => ({
    cites: 'RC-93, WH-125',
    says: `a mount over ${mountPath}`,
    container: { volumeMounts: [{ name: 'over', mountPath }] },
    spec: { volumes: [{ name: 'over', emptyDir: {} }] },
    words: `mountPath "${mountPath}" is a reserved path`,
  })),
  ...(
    [
      ['min-scale', '-1', 'expected 0 <= -1 <= 2147483647'],
      ['max-scale', 'many', 'invalid value: many'],
      ['initial-scale', '-1', 'must be greater than 0'],
      ['activation-scale', '1', 'activation-scale=1 must be greater than 1'],
      ['window', '5s', 'expected 6s <= 5s <= 1h0m0s'],
      ['scale-down-delay', '1500ms', 'must be specified with at most second precision'],
      ['target', '0', 'target 0 should be at least 0.01'],
      ['target-burst-capacity', '-2', 'invalid value: -2'],
      ['target-utilization-percentage', '101', 'expected 1 <= 101 <= 100'],
      ['panic-threshold-percentage', '100', 'expected 110 <= 100 <= 1000'],
      ['metric', 'memory', 'invalid value: memory'],
      ['class', 'vpa.autoscaling.knative.dev', 'invalid value: vpa.autoscaling.knative.dev'],
    ] as const
  ).map(([key, value, words]) => ({
    cites: 'AS-17, WH-150',
    says: `${key} ${value}`,
    annotations: {
      [scaling('min-scale')]: '0',
      [scaling('max-scale')]: '0',
      [scaling(key)]: value,
    },
    words,
  })),
  {
    cites: 'AS-19',
    says: 'max-scale below min-scale',
    annotations: { [scaling('min-scale')]: '3', [scaling('max-scale')]: '2' },
    words: 'max-scale=2 is less than min-scale=3',
  },
  {
    cites: 'WH-64',
    says: 'a progress deadline below a second',
    annotations: { 'serving.knative.dev/progress-deadline': '1500ms' },
    words: 'progress-deadline=1500ms is not at second precision',
  },
];

/** Fields the schema does not have: refused or dropped, never kept. */
const DROPPED: readonly [string, Record<string, unknown>][] = [
  ['lifecycle', { lifecycle: { preStop: { exec: { command: ['true'] } } } }],
  ['stdin', { stdin: true }],
  ['tty', { tty: true }],
  ['volumeDevices', { volumeDevices: [{ name: 'x', devicePath: '/dev/x' }] }],
];

export const constraintRows: readonly ServingRow[] = [
  ...REFUSALS.map(({ cites, says, words, container, spec, annotations }) =>
    row(cites, `A template with ${says} is refused`, async (cluster) => {
      const object = app('refused', {
        ...(container === undefined ? {} : { container }),
        ...(spec === undefined ? {} : { spec }),
        ...(annotations === undefined ? {} : { annotations }),
      });
      const message = await cluster.refusal(object);
      expect(message).toMatch(/^admission webhook "[^"]+" denied the request: validation failed: /);
      expect(message).toContain(words);
    }),
  ),
  ...DROPPED.map(([field, container]) =>
    row('RC-98, WH-24', `A field ${field} is refused or dropped`, async (cluster) => {
      const { code, body } = await cluster.post(app('dropped', { container }), '?dryRun=All');
      if (code !== 201) return expect((body as { message: string }).message).toContain(field);
      const { spec } = (body as { spec: { template: { spec: { containers: object[] } } } }).spec
        .template;
      return expect(spec.containers[0]).not.toHaveProperty(field);
    }),
  ),
  row('RC-98, WH-24', 'An unknown field is named under strict validation', async (cluster) => {
    const object = app('strict', { container: { stdin: true } });
    const { code, body } = await cluster.post(object, '?dryRun=All&fieldValidation=Strict');
    expect(code).toBe(400);
    expect((body as { message: string }).message).toContain('unknown field');
  }),
  row('WH-190', 'All problems are told at once', async (cluster) => {
    const message = await cluster.refusal(
      app('faulty', {
        container: { name: 'queue-proxy', env: [{ name: 'PORT', value: '1' }] },
        spec: { timeoutSeconds: 700 },
      }),
    );
    for (const words of ['reserved container name', 'reserved environment', '0 <= 700 <= 600']) {
      expect(message).toContain(words);
    }
  }),
];
