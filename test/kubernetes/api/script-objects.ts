// Objects without a schema of their own: create, read, replace, and everything that can be wrong.

import { CORE, configMap, get, MAPS, post, put, remove, type Step, saveVersion } from './step.ts';

const ONE = `${MAPS}/one`;

const creating: Step[] = [
  post('create', MAPS, configMap('one', { data: { a: '1' } }), saveVersion('one')),
  post('create the same again', MAPS, configMap('one')),
  get('read', ONE),
  get('read at a version', `${ONE}?resourceVersion=$one`),
  get('read at version 0', `${ONE}?resourceVersion=0`),
  get('read at a bad version', `${ONE}?resourceVersion=abc`),
  get('read what is not there', `${MAPS}/nothing`),
  get('read in a namespace that is not there', '/api/v1/namespaces/nowhere/configmaps/one'),
  get('list a namespace that is not there', '/api/v1/namespaces/nowhere/configmaps'),
  post('create in a namespace that is not there', '/api/v1/namespaces/nowhere/configmaps', {
    ...configMap('one'),
  }),
  post('create without a namespace', '/api/v1/configmaps', configMap('one')),
  post('create without a name', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} }),
  post('create without metadata', MAPS, { apiVersion: 'v1', kind: 'ConfigMap' }),
  post('create with a bad name', MAPS, configMap('Not_A_Name')),
  post('create with a name too long', MAPS, configMap('n'.repeat(254))),
  post('create in another namespace than the path', MAPS, {
    ...configMap('one', {}, { namespace: 'default' }),
  }),
  post('create with the namespace of the path', MAPS, configMap('two', {}, { namespace: '$ns' })),
  post('create another kind than the path', MAPS, { ...configMap('x1'), kind: 'Secret' }),
  post('create another version than the path', MAPS, { ...configMap('x2'), apiVersion: 'v2' }),
  post('create without a kind', MAPS, { apiVersion: 'v1', metadata: { name: 'x3' } }),
  post('create without kind and version', MAPS, { metadata: { name: 'untyped' } }),
  post('create from broken JSON', MAPS, '{"apiVersion":'),
  post('create from an array', MAPS, '[]'),
  post('create from nothing', MAPS, ''),
  post('create from YAML', MAPS, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\n', {
    type: 'application/yaml',
  }),
  post('create from a type nobody knows', MAPS, 'x', { type: 'text/plain' }),
  post('create with a generated name', MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { generateName: 'gen-' },
  }),
  post('create with a name and a prefix for one', MAPS, {
    ...configMap('both', {}, { generateName: 'gen-' }),
  }),
  post('create with a version', MAPS, configMap('versioned', {}, { resourceVersion: '1' })),
  post('create with a uid and times', MAPS, {
    ...configMap('claims', {}, { uid: 'mine', creationTimestamp: '2001-01-01T00:00:00Z' }),
  }),
  post('create with a deletion time', MAPS, {
    ...configMap('deleted', {}, { deletionTimestamp: '2001-01-01T00:00:00Z' }),
  }),
  post('create with generation and self link', MAPS, {
    ...configMap('generation', {}, { generation: 7, selfLink: '/x' }),
  }),
];

const validation: Step[] = [
  post('a label key that is none', MAPS, configMap('x4', {}, { labels: { 'a b': 'c' } })),
  post('a label value that is none', MAPS, configMap('x5', {}, { labels: { a: 'not good' } })),
  post('a label value too long', MAPS, configMap('x6', {}, { labels: { a: 'v'.repeat(64) } })),
  post('a label that is a number', MAPS, configMap('x7', {}, { labels: { a: 1 } })),
  post('an annotation key that is none', MAPS, configMap('x8', {}, { annotations: { '-': '' } })),
  post('a finalizer without a domain', MAPS, configMap('x9', {}, { finalizers: ['mine'] })),
  post('a finalizer that is no name', MAPS, configMap('x10', {}, { finalizers: ['a/b/c'] })),
  post('an owner without a uid', MAPS, {
    ...configMap(
      'x11',
      {},
      {
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'one', uid: '' }],
      },
    ),
  }),
  post('two owners that control', MAPS, {
    ...configMap(
      'x12',
      {},
      {
        ownerReferences: ['a', 'b'].map((uid) => ({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: uid,
          uid,
          controller: true,
        })),
      },
    ),
  }),
  post('a data key that is none', MAPS, configMap('x13', { data: { 'a b': '1' } })),
  post('a data value that is a number', MAPS, configMap('x14', { data: { a: 1 } })),
  post('one key in data and binaryData', MAPS, {
    ...configMap('x15', { data: { a: '1' }, binaryData: { a: 'MQ==' } }),
  }),
  post('binary data that is not base64', MAPS, configMap('x16', { binaryData: { a: '%%%' } })),
];

const replacing: Step[] = [
  put('replace', ONE, configMap('one', { data: { a: '2' } }), saveVersion('second')),
  put('replace by the same', ONE, configMap('one', { data: { a: '2' } })),
  put('replace at the right version', ONE, {
    ...configMap('one', { data: { a: '3' } }, { resourceVersion: '$second' }),
  }),
  put('replace at an old version', ONE, {
    ...configMap('one', { data: { a: '4' } }, { resourceVersion: '$second' }),
  }),
  put('replace at a version that is none', ONE, configMap('one', {}, { resourceVersion: 'x' })),
  put('replace another uid', ONE, {
    ...configMap('one', {}, { uid: '00000000-0000-0000-0000-000000000000' }),
  }),
  put('replace under another name', ONE, configMap('other')),
  put('replace without a name', ONE, { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} }),
  put('replace in another namespace', ONE, configMap('one', {}, { namespace: 'default' })),
  put('replace what is not there', `${MAPS}/nothing`, configMap('nothing')),
  put('replace by what is not valid', `${MAPS}/two`, configMap('two', { data: { 'a b': '' } })),
  put(
    'replace labels',
    ONE,
    configMap('one', {}, { labels: { tier: 'a' }, annotations: { n: '1' } }),
  ),
  put(
    'replace with null fields',
    `${MAPS}/two`,
    configMap('two', { data: null }, { labels: null }),
  ),
  post('create immutable', MAPS, configMap('fixed', { data: { a: '1' }, immutable: true })),
  put('replace immutable data', `${MAPS}/fixed`, {
    ...configMap('fixed', { data: { a: '2' }, immutable: true }),
  }),
  put('make mutable again', `${MAPS}/fixed`, configMap('fixed', { data: { a: '1' } })),
];

const dryRuns: Step[] = [
  post('dry run: create', `${MAPS}?dryRun=All`, configMap('dry')),
  get('dry run: nothing was created', `${MAPS}/dry`),
  post('dry run: a word nobody knows', `${MAPS}?dryRun=Some`, configMap('dry')),
  post(
    'dry run: what is not valid',
    `${MAPS}?dryRun=All`,
    configMap('x17', { data: { 'a b': '' } }),
  ),
  put('dry run: replace', `${ONE}?dryRun=All`, configMap('one', { data: { dry: '1' } })),
  get('dry run: nothing was replaced', ONE),
  remove('dry run: delete', `${ONE}?dryRun=All`),
  get('dry run: nothing was deleted', ONE),
];

const requests: Step[] = [
  post('POST on an object', ONE, configMap('one')),
  put('PUT on a collection', MAPS, configMap('one')),
  remove('DELETE on a collection of all namespaces', '/api/v1/configmaps'),
  get('a resource nobody knows', `${CORE}/unknowns`),
  get('a group nobody knows', '/apis/unknown.example.com/v1/things'),
  get('a version nobody knows', '/api/v2/namespaces'),
  get('a subresource nobody knows', `${ONE}/unknown`),
  get('a subresource it does not have', `${ONE}/status`),
  get('a path nobody knows', '/unknown'),
  get('an answer of a type nobody can make', ONE, { accept: 'text/plain' }),
  get('any answer', ONE, { accept: '*/*' }),
  get('an answer in YAML', ONE, { accept: 'application/yaml' }),
  get('the first type that can be made', ONE, { accept: 'text/html, application/json;q=0.5' }),
  post('field validation of a word nobody knows', `${MAPS}?fieldValidation=Sometimes`, {
    ...configMap('x18'),
  }),
];

export const objectSteps: Step[] = [
  ...creating,
  ...validation,
  ...replacing,
  ...dryRuns,
  ...requests,
];
