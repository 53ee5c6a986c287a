// Kinds that have a schema: pruning, validation, strictness, status beside spec, generations, columns.

import {
  get,
  json,
  KSERVICES,
  kservice,
  merge,
  post,
  put,
  remove,
  SERVING,
  type Step,
  saveVersion,
  strategic,
} from './step.ts';

const ONE = `${KSERVICES}/one`;
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
const GROUP = 'internal.knative.dev/v1alpha1/namespaces/$ns';

const spec = (template: object, more: object = {}): Record<string, unknown> => ({
  spec: { template: { spec: { containers: [{ image: 'app:1' }], ...template } }, ...more },
});

const basics: Step[] = [
  post('custom: create', KSERVICES, kservice('one'), saveVersion('made')),
  post('custom: create again', KSERVICES, kservice('one')),
  get('custom: read', ONE),
  get('custom: read what is not there', `${KSERVICES}/nothing`),
  get('custom: list', KSERVICES),
  get('custom: list nothing', `${SERVING}/routes`),
  post('custom: another kind', KSERVICES, { ...kservice('x1'), kind: 'Route' }),
  post('custom: another group', KSERVICES, { ...kservice('x2'), apiVersion: 'v1' }),
  post('custom: without kind', KSERVICES, { metadata: { name: 'x3' } }),
  post('custom: without a name', KSERVICES, { ...kservice(''), metadata: {} }),
  post('custom: a bad name', KSERVICES, kservice('Bad_Name')),
  post('custom: broken JSON', KSERVICES, '{"a":'),
  put('custom: replace without a version', ONE, kservice('one')),
  put(
    'custom: replace at a version',
    ONE,
    kservice('one', spec({ timeoutSeconds: 5 }), {
      resourceVersion: '$made',
    }),
    saveVersion('changed'),
  ),
  put('custom: replace at an old version', ONE, kservice('one', {}, { resourceVersion: '$made' })),
  put(
    'custom: metadata alone keeps the generation',
    ONE,
    kservice('one', spec({ timeoutSeconds: 5 }), {
      resourceVersion: '$changed',
      labels: { a: 'b' },
    }),
  ),
  put('custom: replace what is not there', `${KSERVICES}/nothing`, {
    ...kservice('nothing', {}, { resourceVersion: '1' }),
  }),
  merge('custom: merge patch', ONE, { spec: { template: { spec: { timeoutSeconds: 7 } } } }),
  merge('custom: merge patch of nothing', ONE, {}),
  json('custom: JSON patch', ONE, [
    { op: 'replace', path: '/spec/template/spec/timeoutSeconds', value: 8 },
  ]),
  strategic('custom: no strategic merge', ONE, { spec: {} }),
];

const schemas: Step[] = [
  post('schema: a word for a number', KSERVICES, kservice('x4', spec({ timeoutSeconds: 'five' }))),
  post(
    'schema: a fraction for an integer',
    KSERVICES,
    kservice('x5', spec({ timeoutSeconds: 1.5 })),
  ),
  post('schema: a list for an object', KSERVICES, kservice('x6', { spec: [] })),
  post('schema: an object for a list', KSERVICES, kservice('x7', spec({ containers: {} }))),
  post('schema: several problems', KSERVICES, {
    ...kservice('x8', spec({ timeoutSeconds: 'five', containerConcurrency: true })),
  }),
  post('schema: a null', KSERVICES, kservice('nulls', spec({ timeoutSeconds: null }))),
  post(
    'schema: an unknown field is dropped',
    KSERVICES,
    kservice('pruned', spec({}, { nonsense: 1 })),
  ),
  post('schema: an unknown field, warned', `${KSERVICES}?fieldValidation=Warn`, {
    ...kservice('warned', spec({ nonsense: 1 })),
  }),
  post('schema: an unknown field, ignored', `${KSERVICES}?fieldValidation=Ignore`, {
    ...kservice('ignored', spec({ nonsense: 1 })),
  }),
  post('schema: an unknown field, strictly', `${KSERVICES}?fieldValidation=Strict`, {
    ...kservice('strict', spec({ nonsense: 1, other: 2 })),
  }),
  post(
    'schema: the same field twice, strictly',
    `${KSERVICES}?fieldValidation=Strict`,
    '{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"x"},"spec":{},"spec":{}}',
  ),
  post(
    'schema: the same field twice, warned',
    `${KSERVICES}?fieldValidation=Warn`,
    '{"apiVersion":"serving.knative.dev/v1","kind":"Service","metadata":{"name":"twice"},"spec":{},"spec":{}}',
  ),
  merge('schema: a patch that is not valid', ONE, {
    spec: { template: { spec: { timeoutSeconds: 'x' } } },
  }),
  merge('schema: an unknown field in a patch, strictly', `${ONE}?fieldValidation=Strict`, {
    spec: { nonsense: 1 },
  }),
  post('schema: a word not in the list', `/apis/networking.${GROUP}/serverlessservices`, {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'ServerlessService',
    metadata: { name: 'x9' },
    spec: {
      mode: 'Sometimes',
      objectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' },
      protocolType: 'http1',
    },
  }),
  post('schema: required fields', `/apis/autoscaling.${GROUP}/podautoscalers`, {
    apiVersion: 'autoscaling.internal.knative.dev/v1alpha1',
    kind: 'PodAutoscaler',
    metadata: { name: 'x10' },
    spec: {},
  }),
  post('schema: a port as text or number', `/apis/networking.${GROUP}/ingresses`, {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'Ingress',
    metadata: { name: 'ports' },
    spec: {
      rules: [
        { hosts: ['a'], http: { paths: [{ splits: [{ serviceName: 's', servicePort: 80 }] }] } },
      ],
    },
  }),
];

const status: Step[] = [
  post(
    'status: dropped on create',
    KSERVICES,
    kservice('with-status', { status: { url: 'http://x' } }),
  ),
  get('status: read', `${ONE}/status`, saveVersion('version')),
  put(
    'status: replace',
    `${ONE}/status`,
    kservice(
      'one',
      { status: { url: 'http://one' } },
      {
        resourceVersion: '$version',
        labels: { ignored: 'yes' },
      },
    ),
  ),
  merge('status: patch', `${ONE}/status`, {
    status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
    spec: { template: null },
  }),
  merge('status: not through the object', ONE, { status: { url: 'http://other' } }),
  get('status: what it came to', ONE),
  put(
    'status: at an old version',
    `${ONE}/status`,
    kservice('one', {}, { resourceVersion: '$version' }),
  ),
  remove('status: no delete', `${ONE}/status`),
  post('status: no create', `${ONE}/status`, kservice('one')),
  get('scale: none here', `${ONE}/scale`),
  merge('status: not valid', `${ONE}/status`, { status: { observedGeneration: 'x' } }),
];

const tables: Step[] = [
  get('table: custom', KSERVICES, TABLE),
  get('table: one custom', ONE, TABLE),
  get('table: revisions', `${SERVING}/revisions`, TABLE),
  get('table: images', '/apis/caching.internal.knative.dev/v1alpha1/namespaces/$ns/images', TABLE),
  get('field: of a custom resource', `${KSERVICES}?fieldSelector=metadata.name%3Done`),
  get('field: not selectable', `${KSERVICES}?fieldSelector=spec.x%3Done`),
  post(
    'cluster-wide: create',
    '/apis/networking.internal.knative.dev/v1alpha1/clusterdomainclaims',
    {
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'ClusterDomainClaim',
      metadata: { name: '$ns.example.com' },
      spec: { namespace: '$ns' },
    },
  ),
  remove(
    'cluster-wide: delete',
    '/apis/networking.internal.knative.dev/v1alpha1/clusterdomainclaims/$ns.example.com',
  ),
];

const deletes: Step[] = [
  remove('custom: delete', ONE),
  remove('custom: delete twice', ONE),
  remove('custom: delete the collection', KSERVICES),
  get('custom: empty', KSERVICES),
];

export const customSteps: Step[] = [...basics, ...schemas, ...status, ...tables, ...deletes];
