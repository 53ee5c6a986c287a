// Server-side apply: who owns what, conflicts, force, what is left out and what moves between managers.

import {
  apply,
  configMap,
  DEPLOYMENTS,
  deployment,
  get,
  KSERVICES,
  kservice,
  MAPS,
  merge,
  post,
  put,
  remove,
  type Step,
  saveVersion,
  strategic,
} from './step.ts';

const ONE = `${MAPS}/applied`;
/** For what one of the servers may let through. */
const LOOSE = `${DEPLOYMENTS}/loose`;
const DEPLOYMENT = `${DEPLOYMENTS}/applied`;
const SERVICE = `${KSERVICES}/applied`;

const maps: Step[] = [
  apply('apply: create', ONE, 'alice', configMap('applied', { data: { a: '1', b: '2' } })),
  apply('apply: the same again', ONE, 'alice', configMap('applied', { data: { a: '1', b: '2' } })),
  apply('apply: change and leave out', ONE, 'alice', configMap('applied', { data: { a: '3' } })),
  apply('apply: somebody else adds', ONE, 'bob', configMap('applied', { data: { c: '4' } })),
  apply('apply: a conflict', ONE, 'bob', configMap('applied', { data: { a: '5', c: '4' } })),
  apply('apply: the same value is shared', ONE, 'bob', {
    ...configMap('applied', { data: { a: '3', c: '4' } }),
  }),
  apply('apply: force takes over', `${ONE}?force=true`, 'bob', {
    ...configMap('applied', { data: { a: '5', c: '4' } }),
  }),
  apply('apply: a shared field stays when one leaves it', ONE, 'alice', {
    ...configMap('applied', { data: {} }),
  }),
  apply(
    'apply: the last owner takes it away',
    ONE,
    'bob',
    configMap('applied', { data: { c: '4' } }),
  ),
  merge('apply: an update owns what it changes', `${ONE}?fieldManager=carol`, { data: { d: '6' } }),
  apply(
    'apply: a conflict with an update',
    ONE,
    'alice',
    configMap('applied', { data: { d: '7' } }),
  ),
  put('apply: replace without managed fields', `${ONE}?fieldManager=dave`, {
    ...configMap('applied', { data: { z: '1' } }),
  }),
  apply('apply: labels and annotations', ONE, 'alice', {
    ...configMap('applied', {}, { labels: { l: '1' }, annotations: { n: '1' } }),
  }),
  apply('apply: finalizers', ONE, 'alice', configMap('applied', {}, { finalizers: ['a.com/f'] })),
  apply('apply: finalizers left out', ONE, 'alice', configMap('applied')),
  get('apply: what it came to', ONE, saveVersion('applied')),
  apply('apply: dry run', `${ONE}?dryRun=All`, 'alice', configMap('applied', { data: { e: '1' } })),
  apply('apply: dry run of a new one', `${MAPS}/fresh?dryRun=All`, 'alice', configMap('fresh')),
  apply(
    'apply: as YAML',
    ONE,
    'alice',
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: applied\n',
  ),
];

const refusals: Step[] = [
  apply('apply: no manager', ONE, '', configMap('applied')),
  apply('apply: managed fields in the body', ONE, 'alice', {
    ...configMap('applied', {}, { managedFields: [{ manager: 'x', operation: 'Apply' }] }),
  }),
  apply('apply: another name', ONE, 'alice', configMap('other')),
  apply('apply: no kind', ONE, 'alice', { apiVersion: 'v1', metadata: { name: 'applied' } }),
  apply('apply: another kind', ONE, 'alice', { ...configMap('applied'), kind: 'Secret' }),
  apply('apply: an old version', ONE, 'alice', configMap('applied', {}, { resourceVersion: '1' })),
  apply('apply: the right version', ONE, 'alice', {
    ...configMap('applied', {}, { resourceVersion: '$applied' }),
  }),
  apply('apply: a version of what is not there', `${MAPS}/fresh`, 'alice', {
    ...configMap('fresh', {}, { resourceVersion: '1' }),
  }),
  apply('apply: a uid of what is not there', `${MAPS}/fresh`, 'alice', {
    ...configMap('fresh', {}, { uid: '00000000-0000-0000-0000-000000000000' }),
  }),
  apply(
    'apply: what is not valid',
    `${MAPS}/loose`,
    'alice',
    configMap('loose', { data: { 'a b': '1' } }),
  ),
  apply('apply: broken YAML', ONE, 'alice', 'a: [b'),
  apply('apply: a manager too long', ONE, 'm'.repeat(129), configMap('applied')),
  merge('force without apply', `${ONE}?force=true`, { data: {} }),
];

const container = (name: string, fields: object = {}): object => ({
  name,
  image: 'app:1',
  ...fields,
});
const template = (...containers: object[]): Record<string, unknown> => ({
  template: { metadata: { labels: { app: 'applied' } }, spec: { containers } },
});

const deployments: Step[] = [
  apply('apply deployment: create', DEPLOYMENT, 'alice', deployment('applied')),
  apply('apply deployment: a second container by another', DEPLOYMENT, 'bob', {
    ...deployment('applied'),
    spec: {
      selector: { matchLabels: { app: 'applied' } },
      ...template(container('side')),
    },
  }),
  apply('apply deployment: one leaves its container out', DEPLOYMENT, 'bob', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'applied' },
  }),
  apply('apply deployment: ports by port and protocol', DEPLOYMENT, 'alice', {
    ...deployment('applied', template(container('main', { ports: [{ containerPort: 80 }] }))),
  }),
  apply('apply deployment: environment', DEPLOYMENT, 'alice', {
    ...deployment('applied', template(container('main', { env: [{ name: 'A', value: '1' }] }))),
  }),
  apply(
    'apply deployment: a number as text',
    LOOSE,
    'alice',
    deployment('loose', { replicas: '1' }),
  ),
  apply('apply deployment: a field nobody knows', LOOSE, 'alice', {
    ...deployment('loose', { unknown: 1 }),
  }),
  apply('apply deployment: the same key twice', LOOSE, 'alice', {
    ...deployment('loose', template(container('main'), container('main'))),
  }),
  merge('scale owns replicas', `${DEPLOYMENT}/scale?fieldManager=scaler`, {
    spec: { replicas: 3 },
  }),
  apply('apply deployment: a conflict with scale', DEPLOYMENT, 'alice', deployment('applied')),
  apply('apply deployment: status', `${DEPLOYMENT}/status`, 'kubelet', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'applied' },
    status: { observedGeneration: 1 },
  }),
  strategic('an update of an applied list', `${DEPLOYMENT}?fieldManager=carol`, {
    spec: { template: { spec: { containers: [{ name: 'main', image: 'app:9' }] } } },
  }),
  get('apply deployment: what it came to', DEPLOYMENT),
];

const services: Step[] = [
  apply('apply service: create', SERVICE, 'alice', kservice('applied')),
  apply('apply service: the same again', SERVICE, 'alice', kservice('applied')),
  apply('apply service: annotations by another', SERVICE, 'bob', {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'applied', annotations: { 'example.com/a': '1' } },
  }),
  apply('apply service: traffic', SERVICE, 'alice', {
    ...kservice('applied', {
      spec: {
        template: { spec: { containers: [{ image: 'app:2' }] } },
        traffic: [{ latestRevision: true, percent: 100 }],
      },
    }),
  }),
  apply('apply service: a conflict in a custom resource', SERVICE, 'bob', {
    ...kservice('applied', { spec: { template: { metadata: { annotations: { x: '1' } } } } }),
  }),
  apply('apply service: a whole list by another', SERVICE, 'bob', kservice('applied')),
  apply('apply service: a field nobody knows', `${KSERVICES}/loose`, 'alice', {
    ...kservice('loose', { spec: { nonsense: 1 } }),
  }),
  apply('apply service: status', `${SERVICE}/status`, 'controller', {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'applied' },
    status: { url: 'http://applied', conditions: [{ type: 'Ready', status: 'True' }] },
  }),
  post('a client-side object, applied later', KSERVICES, kservice('adopted')),
  apply('apply service: over a client-side object', `${KSERVICES}/adopted`, 'alice', {
    ...kservice('adopted'),
  }),
  get('apply service: what it came to', SERVICE),
  remove('apply service: gone', SERVICE),
];

export const applySteps: Step[] = [...maps, ...refusals, ...deployments, ...services];
