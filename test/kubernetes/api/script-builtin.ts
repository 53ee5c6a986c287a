// Built-in kinds the controllers live on: their defaults, what they refuse, scale and status.

import {
  CORE,
  DEPLOYMENTS,
  deployment,
  get,
  json,
  merge,
  PODS,
  pod,
  post,
  put,
  remove,
  type Step,
  saveVersion,
  strategic,
} from './step.ts';

const ONE = `${DEPLOYMENTS}/one`;
const scaleOf = (replicas: unknown, metadata: object = {}): object => ({
  apiVersion: 'autoscaling/v1',
  kind: 'Scale',
  metadata: { name: 'one', namespace: '$ns', ...metadata },
  spec: { replicas },
});

const deployments: Step[] = [
  post('deployment: create', DEPLOYMENTS, deployment('one')),
  post('deployment: without a selector', DEPLOYMENTS, deployment('x1', { selector: null })),
  post('deployment: a selector of others', DEPLOYMENTS, {
    ...deployment('x2', { selector: { matchLabels: { app: 'y' } } }),
  }),
  post('deployment: without containers', DEPLOYMENTS, {
    ...deployment('x3', {
      template: { metadata: { labels: { app: 'x3' } }, spec: { containers: [] } },
    }),
  }),
  post('deployment: negative replicas', DEPLOYMENTS, deployment('x4', { replicas: -1 })),
  post('deployment: replicas as text', DEPLOYMENTS, deployment('x5', { replicas: 'many' })),
  post('deployment: an unknown field, strictly', `${DEPLOYMENTS}?fieldValidation=Strict`, {
    ...deployment('x6', { nonsense: 1 }),
  }),
  post('deployment: an unknown field, warned', `${DEPLOYMENTS}?fieldValidation=Warn`, {
    ...deployment('warned', { nonsense: 1 }),
  }),
  get('scale: read', `${ONE}/scale`, saveVersion('scale')),
  put('scale: replace', `${ONE}/scale`, scaleOf(2)),
  put(
    'scale: replace at an old version',
    `${ONE}/scale`,
    scaleOf(3, { resourceVersion: '$scale' }),
  ),
  put('scale: another name', `${ONE}/scale`, scaleOf(3, { name: 'two' })),
  put('scale: negative', `${ONE}/scale`, scaleOf(-1)),
  put('scale: text', `${ONE}/scale`, scaleOf('many')),
  merge('scale: patch', `${ONE}/scale`, { spec: { replicas: 0 } }),
  json('scale: JSON patch', `${ONE}/scale`, [{ op: 'replace', path: '/spec/replicas', value: 4 }]),
  strategic('scale: strategic', `${ONE}/scale`, { spec: { replicas: 5 } }),
  merge('scale: dry run', `${ONE}/scale?dryRun=All`, { spec: { replicas: 9 } }),
  get('scale: of what is not there', `${DEPLOYMENTS}/nothing/scale`),
  remove('scale: no delete', `${ONE}/scale`),
  merge('deployment: status', `${ONE}/status`, {
    status: { replicas: 4, readyReplicas: 4, availableReplicas: 4, updatedReplicas: 4 },
    spec: { replicas: 7 },
  }),
  merge('deployment: no status through the object', ONE, { status: { replicas: 9 } }),
  get('deployment: what it came to', ONE),
];

const pods: Step[] = [
  post('pod: create', PODS, pod('one')),
  post('pod: without containers', PODS, pod('x7', { containers: [] })),
  post('pod: a container without a name', PODS, pod('x8', { containers: [{ image: 'app' }] })),
  post('pod: two containers of a name', PODS, {
    ...pod('x9', {
      containers: [
        { name: 'a', image: 'a' },
        { name: 'a', image: 'b' },
      ],
    }),
  }),
  post('pod: a restart policy nobody knows', PODS, pod('x10', { restartPolicy: 'Perhaps' })),
  merge('pod: status', `${PODS}/one/status`, { status: { phase: 'Running', podIP: '10.1.2.3' } }),
  merge('pod: image', `${PODS}/one`, { spec: { terminationGracePeriodSeconds: 1 } }),
  get('pod: by phase', `${PODS}?fieldSelector=status.phase%3DRunning`),
  get('pod: by node', `${PODS}?fieldSelector=spec.nodeName%3Dnowhere`),
  get('pod: by what it cannot', `${PODS}?fieldSelector=spec.containers%3Dx`),
  put('pod: status by replacing', `${PODS}/one`, pod('one')),
];

const SECRETS = `${CORE}/secrets`;
const SERVICES = `${CORE}/services`;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/$ns/leases';
const secret = (name: string, fields: object): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  ...fields,
});
const service = (name: string, spec: object): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec,
});

const others: Step[] = [
  post('secret: text becomes data', SECRETS, secret('one', { stringData: { a: 'text' } })),
  post(
    'secret: of a type',
    SECRETS,
    secret('two', { type: 'example.com/key', data: { a: 'MQ==' } }),
  ),
  post('secret: not base64', SECRETS, secret('x11', { data: { a: '%' } })),
  post('secret: TLS without a key', SECRETS, secret('x12', { type: 'kubernetes.io/tls' })),
  merge('secret: another type', `${SECRETS}/one`, { type: 'other' }),
  post('service: create', SERVICES, service('one', { clusterIP: 'None', ports: [{ port: 80 }] })),
  post('service: external name', SERVICES, {
    ...service('two', { type: 'ExternalName', externalName: 'example.com' }),
  }),
  post('service: no ports', SERVICES, service('x13', { selector: { a: 'b' } })),
  post('service: a bad port', SERVICES, service('x14', { ports: [{ port: 0 }] })),
  post('service: ports without names', SERVICES, {
    ...service('x15', { ports: [{ port: 80 }, { port: 81 }] }),
  }),
  post('service: a bad name', SERVICES, service('1y', { ports: [{ port: 80 }] })),
  post('endpoints: create', `${CORE}/endpoints`, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'one' },
    subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ name: 'http', port: 80 }] }],
  }),
  post('endpoints: a bad address', `${CORE}/endpoints`, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'x16' },
    subsets: [{ addresses: [{ ip: 'nowhere' }] }],
  }),
  post('lease: create', LEASES, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'one' },
    spec: {
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      renewTime: '2026-01-01T00:00:00.000000Z',
    },
  }),
  post('lease: a duration of 0', LEASES, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'x17' },
    spec: { leaseDurationSeconds: 0 },
  }),
  post('account: create', `${CORE}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'one' },
  }),
  post('autoscaler: create', '/apis/autoscaling/v2/namespaces/$ns/horizontalpodautoscalers', {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'one' },
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'one' },
    },
  }),
  post('slice: create', '/apis/discovery.k8s.io/v1/namespaces/$ns/endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'one' },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.1.2.3'] }],
    ports: [{ name: 'http', port: 80 }],
  }),
  post('event: create', `${CORE}/events`, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'one' },
    involvedObject: { kind: 'Pod', name: 'one', namespace: '$ns' },
    reason: 'Tested',
    message: 'for the script',
    type: 'Normal',
    source: { component: 'script' },
  }),
  get('namespace: read', '/api/v1/namespaces/$ns'),
  post('namespace: a bad name', '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'a.b' },
  }),
  get('node: what is not there', '/api/v1/nodes/nothing'),
];

export const builtinSteps: Step[] = [...deployments, ...pods, ...others];
