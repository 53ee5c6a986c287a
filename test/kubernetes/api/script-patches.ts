// Patches of every type on built-in objects, with what each refuses.

import {
  configMap,
  DEPLOYMENTS,
  deployment,
  get,
  json,
  MAPS,
  merge,
  PODS,
  pod,
  post,
  type Step,
  saveVersion,
  strategic,
} from './step.ts';

const ONE = `${MAPS}/patched`;
/** For patches one of the servers may let through. */
const LOOSE = `${MAPS}/loose`;
const POD = `${PODS}/patched`;
const DEPLOYMENT = `${DEPLOYMENTS}/patched`;

const merges: Step[] = [
  post('object to patch', MAPS, configMap('patched', { data: { a: '1', b: '2' } })),
  post('object to patch loosely', MAPS, configMap('loose', { data: { a: '1' } })),
  merge('merge: add', ONE, { data: { c: '3' } }, saveVersion('merged')),
  merge('merge: the same again', ONE, { data: { c: '3' } }),
  merge('merge: null removes', ONE, { data: { a: null, c: null } }),
  merge('merge: metadata', ONE, { metadata: { labels: { x: 'y' }, annotations: { n: '1' } } }),
  merge('merge: at an old version', ONE, { metadata: { resourceVersion: '$merged' }, data: {} }),
  merge('merge: another name', ONE, { metadata: { name: 'other' } }),
  merge('merge: another kind', ONE, { kind: 'Secret' }),
  merge('merge: another uid', ONE, { metadata: { uid: 'other' } }),
  merge('merge: what is not valid', LOOSE, { data: { 'a b': '1' } }),
  merge('merge: a value of another type', LOOSE, { data: { a: 5 } }),
  merge('merge: an array', ONE, []),
  merge('merge: broken JSON', ONE, '{'),
  merge('merge: nothing', ONE, {}),
  merge('merge: what is not there', `${MAPS}/nothing`, { data: {} }),
  merge('merge: dry run', `${ONE}?dryRun=All`, { data: { dry: '1' } }),
  merge('merge: a field nobody knows', LOOSE, { unknown: 1, data: { d: '4' } }),
  merge('merge: a field nobody knows, strictly', `${LOOSE}?fieldValidation=Strict`, { unknown: 1 }),
];

const jsonPatches: Step[] = [
  json('json: add', ONE, [{ op: 'add', path: '/data/e', value: '5' }]),
  json('json: replace', ONE, [{ op: 'replace', path: '/data/e', value: '6' }]),
  json('json: test and remove', ONE, [
    { op: 'test', path: '/data/e', value: '6' },
    { op: 'remove', path: '/data/e' },
  ]),
  json('json: copy and move', ONE, [
    { op: 'copy', from: '/data/b', path: '/data/f' },
    { op: 'move', from: '/data/f', path: '/data/g' },
  ]),
  json('json: a test that fails', ONE, [{ op: 'test', path: '/data/b', value: 'x' }]),
  json('json: remove what is not there', ONE, [{ op: 'remove', path: '/data/zzz' }]),
  json('json: replace what is not there', LOOSE, [{ op: 'replace', path: '/data/zzz', value: '' }]),
  json('json: an escaped path', ONE, [
    { op: 'add', path: '/metadata/labels/example.com~1a', value: 'b' },
  ]),
  json('json: an operation nobody knows', ONE, [{ op: 'upsert', path: '/data/a', value: '' }]),
  json('json: an object', ONE, { op: 'add' }),
  json('json: nothing', ONE, []),
  json('json: what is not there', `${MAPS}/nothing`, []),
];

const strategicMerges: Step[] = [
  post('pod to patch', PODS, pod('patched', { tolerations: [] })),
  strategic('strategic: a container by name', POD, {
    spec: { containers: [{ name: 'main', image: 'app:2' }] },
  }),
  strategic('strategic: labels', POD, { metadata: { labels: { a: '1', b: '2' } } }),
  strategic('strategic: replace a map', POD, {
    metadata: { labels: { $patch: 'replace', c: '3' } },
  }),
  strategic('strategic: finalizers are a set', POD, {
    metadata: { finalizers: ['example.com/a', 'example.com/b'] },
  }),
  strategic('strategic: one more finalizer', POD, { metadata: { finalizers: ['example.com/c'] } }),
  strategic('strategic: finalizers taken out', POD, {
    metadata: {
      '$deleteFromPrimitiveList/finalizers': ['example.com/a', 'example.com/b', 'example.com/c'],
    },
  }),
  post('pod to patch loosely', PODS, pod('loose')),
  strategic('strategic: a change a pod refuses', `${PODS}/loose`, {
    spec: { nodeName: 'elsewhere' },
  }),
  post('deployment to patch', DEPLOYMENTS, deployment('patched'), saveVersion('deployed')),
  strategic('strategic: add a container', DEPLOYMENT, {
    spec: { template: { spec: { containers: [{ name: 'side', image: 'side:1' }] } } },
  }),
  strategic('strategic: environment by name', DEPLOYMENT, {
    spec: {
      template: {
        spec: {
          containers: [
            {
              name: 'main',
              env: [
                { name: 'A', value: '1' },
                { name: 'B', value: '2' },
              ],
            },
          ],
        },
      },
    },
  }),
  strategic('strategic: delete by name', DEPLOYMENT, {
    spec: {
      template: {
        spec: {
          containers: [
            { name: 'main', env: [{ name: 'A', $patch: 'delete' }] },
            { name: 'side', $patch: 'delete' },
          ],
        },
      },
    },
  }),
  strategic('strategic: order of a list', DEPLOYMENT, {
    spec: {
      template: {
        spec: {
          '$setElementOrder/containers': [{ name: 'second' }, { name: 'main' }],
          containers: [{ name: 'second', image: 'second:1' }],
        },
      },
    },
  }),
  strategic('strategic: ports by port', DEPLOYMENT, {
    spec: {
      template: {
        spec: {
          containers: [{ name: 'main', ports: [{ containerPort: 80 }, { containerPort: 81 }] }],
        },
      },
    },
  }),
  strategic('strategic: replace a list', DEPLOYMENT, {
    spec: {
      template: {
        spec: { containers: [{ $patch: 'replace' }, { name: 'main', image: 'app:3' }] },
      },
    },
  }),
  strategic('strategic: null removes', DEPLOYMENT, { spec: { minReadySeconds: null } }),
  post('deployment to patch loosely', DEPLOYMENTS, deployment('loose')),
  strategic('strategic: an immutable selector', `${DEPLOYMENTS}/loose`, {
    spec: { selector: { matchLabels: { app: 'other' } } },
  }),
  strategic('strategic: at an old version', DEPLOYMENT, {
    metadata: { resourceVersion: '$deployed' },
  }),
  strategic('strategic: a directive nobody knows', `${DEPLOYMENTS}/loose`, {
    spec: { template: { spec: { containers: [{ name: 'main', $patch: 'wash' }] } } },
  }),
  get('strategic: what it came to', DEPLOYMENT),
  merge('merge: lists are replaced whole', DEPLOYMENT, {
    spec: { template: { spec: { containers: [{ name: 'only', image: 'only:1' }] } } },
  }),
  json('json: into a list', DEPLOYMENT, [
    { op: 'add', path: '/spec/template/spec/containers/-', value: { name: 'end', image: 'e:1' } },
  ]),
];

const types: Step[] = [
  merge('a patch of a type nobody knows', ONE, {}, { type: 'application/json' }),
  merge('a patch of no type', ONE, {}, { type: 'text/plain' }),
];

export const patchSteps: Step[] = [...merges, ...jsonPatches, ...strategicMerges, ...types];
