// Deleting: preconditions, finalizers, grace, owners under every propagation policy, collections.

import { configMap, get, MAPS, merge, PODS, pod, post, put, remove, type Step } from './step.ts';

const DELETE = { kind: 'DeleteOptions', apiVersion: 'v1' };

const plain: Step[] = [
  post('delete: object', MAPS, configMap('d1')),
  remove('delete: gone at once', `${MAPS}/d1`),
  remove('delete: twice', `${MAPS}/d1`),
  post('delete: for conditions', MAPS, configMap('d2'), {
    save: { uid: 'metadata.uid', version: 'metadata.resourceVersion' },
  }),
  remove('delete: another uid', `${MAPS}/d2`, { ...DELETE, preconditions: { uid: 'other' } }),
  remove('delete: another version', `${MAPS}/d2`, {
    ...DELETE,
    preconditions: { resourceVersion: '1' },
  }),
  remove('delete: a policy nobody knows', `${MAPS}/d2?propagationPolicy=Sideways`),
  remove('delete: policy and orphans', `${MAPS}/d2`, {
    ...DELETE,
    propagationPolicy: 'Orphan',
    orphanDependents: true,
  }),
  remove('delete: a body of another kind', `${MAPS}/d2`, configMap('d2')),
  remove('delete: a negative grace', `${MAPS}/d2`, { ...DELETE, gracePeriodSeconds: -1 }),
  remove('delete: right uid and version', `${MAPS}/d2`, {
    ...DELETE,
    preconditions: { uid: '$uid', resourceVersion: '$version' },
  }),
];

const finalizers: Step[] = [
  post('finalizer: object', MAPS, configMap('f1', {}, { finalizers: ['example.com/wait'] })),
  remove('finalizer: delete waits', `${MAPS}/f1`),
  get('finalizer: still there', `${MAPS}/f1`),
  remove('finalizer: delete again', `${MAPS}/f1`),
  merge('finalizer: still changes', `${MAPS}/f1`, { data: { a: '1' } }),
  merge('finalizer: no new one', `${MAPS}/f1`, {
    metadata: { finalizers: ['example.com/wait', 'example.com/more'] },
  }),
  post('finalizer: no new object of the name', MAPS, configMap('f1')),
  merge('finalizer: removed', `${MAPS}/f1`, { metadata: { finalizers: null } }),
  get('finalizer: gone', `${MAPS}/f1`),
];

const owned = (name: string, block = false): Record<string, unknown> => ({
  ...configMap(
    name,
    {},
    {
      ownerReferences: [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: 'owner',
          uid: '$owner',
          blockOwnerDeletion: block,
        },
      ],
    },
  ),
});

function family(policy: string): Step[] {
  const title = (text: string): string => `${policy}: ${text}`;
  return [
    post(title('owner'), MAPS, configMap('owner'), { save: { owner: 'metadata.uid' } }),
    post(title('dependent'), MAPS, owned(`kid-${policy.toLowerCase()}`, true)),
  ];
}

const owners: Step[] = [
  ...family('Background'),
  remove('Background: delete', `${MAPS}/owner?propagationPolicy=Background`),
  get('Background: owner gone', `${MAPS}/owner`, { until: 404 }),
  get('Background: dependent gone', `${MAPS}/kid-background`, { until: 404 }),
  ...family('Foreground'),
  merge('Foreground: hold the dependent', `${MAPS}/kid-foreground`, {
    metadata: { finalizers: ['example.com/hold'] },
  }),
  remove('Foreground: delete', `${MAPS}/owner`, { ...DELETE, propagationPolicy: 'Foreground' }),
  get('Foreground: owner waits', `${MAPS}/owner`),
  get('Foreground: dependent waits', `${MAPS}/kid-foreground`, {
    untilField: 'metadata.deletionTimestamp',
  }),
  merge('Foreground: let go', `${MAPS}/kid-foreground`, { metadata: { finalizers: null } }),
  get('Foreground: dependent gone', `${MAPS}/kid-foreground`, { until: 404 }),
  get('Foreground: owner gone', `${MAPS}/owner`, { until: 404 }),
  ...family('Orphan'),
  remove('Orphan: delete', `${MAPS}/owner`, { ...DELETE, propagationPolicy: 'Orphan' }),
  get('Orphan: owner gone', `${MAPS}/owner`, { until: 404 }),
  get('Orphan: dependent stays', `${MAPS}/kid-orphan`),
];

const pods: Step[] = [
  post('grace: pod', PODS, pod('graceful')),
  remove('grace: a pod on no node goes at once', `${PODS}/graceful`),
  get('grace: it is gone', `${PODS}/graceful`),
  post('grace: pod on a node', PODS, pod('placed', { nodeName: 'somewhere' })),
  remove('grace: asked to end', `${PODS}/placed?gracePeriodSeconds=20`),
  get('grace: ending', `${PODS}/placed`),
  remove('grace: longer is not taken', `${PODS}/placed?gracePeriodSeconds=60`),
  remove('grace: shorter is', `${PODS}/placed?gracePeriodSeconds=5`),
  remove('grace: none', `${PODS}/placed?gracePeriodSeconds=0`),
  get('grace: gone', `${PODS}/placed`),
];

const many = (name: string): Step =>
  post(`collection: ${name}`, MAPS, configMap(name, {}, { labels: { set: 'many' } }));

const collections: Step[] = [
  many('m1'),
  many('m2'),
  many('m3'),
  remove('collection: dry run', `${MAPS}?labelSelector=set%3Dmany&dryRun=All`),
  remove('collection: by field', `${MAPS}?fieldSelector=metadata.name%3Dm1`),
  remove('collection: by label', `${MAPS}?labelSelector=set%3Dmany`),
  get('collection: empty', `${MAPS}?labelSelector=set%3Dmany`),
  remove('collection: nothing to delete', `${MAPS}?labelSelector=set%3Dmany`),
  put('replace what was deleted', `${MAPS}/m1`, configMap('m1')),
];

export const deleteSteps: Step[] = [...plain, ...finalizers, ...owners, ...pods, ...collections];
