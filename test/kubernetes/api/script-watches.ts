// Watches: from a version, from the state, by selector, as tables; and how they refuse.

import { configMap, get, MAPS, merge, post, remove, type Step, watch } from './step.ts';

const WATCHED = `${MAPS}?labelSelector=set%3Dwatches`;
const labels = { labels: { set: 'watches' } };
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };

export const watchSteps: Step[] = [
  post('watch: before', MAPS, configMap('w0', { data: { a: '1' } }, labels)),
  get('watch: where from', WATCHED, { save: { from: 'metadata.resourceVersion' } }),
  watch('watch: add, change, delete', `${WATCHED}&resourceVersion=$from`, 3, [
    post('watch: add', MAPS, configMap('w1', {}, labels)),
    merge('watch: change', `${MAPS}/w1`, { data: { a: '1' } }),
    remove('watch: delete', `${MAPS}/w1`),
  ]),
  watch('watch: the same events once more', `${WATCHED}&resourceVersion=$from`, 3),
  watch('watch: the state first', WATCHED, 2, [
    merge('watch: change after the state', `${MAPS}/w0`, { data: { a: '2' } }),
  ]),
  watch('watch: the state first at version 0', `${WATCHED}&resourceVersion=0`, 1),
  watch(
    'watch: the state as events',
    `${WATCHED}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    2,
  ),
  watch('watch: into and out of a selector', `${WATCHED}&resourceVersion=$from`, 6, [
    post('watch: outside', MAPS, configMap('w2')),
    merge('watch: inside', `${MAPS}/w2`, { metadata: { labels: { set: 'watches' } } }),
    merge('watch: outside again', `${MAPS}/w2`, { metadata: { labels: { set: null } } }),
  ]),
  watch('watch: one by name', `${MAPS}?fieldSelector=metadata.name%3Dw0`, 2, [
    merge('watch: change by name', `${MAPS}/w0`, { data: { a: '3' } }),
  ]),
  watch('watch: one by path', `${MAPS}/w0?resourceVersion=0`, 1),
  watch(
    'watch: as tables',
    WATCHED,
    2,
    [merge('watch: change for tables', `${MAPS}/w0`, { data: { a: '4' } })],
    TABLE,
  ),
  watch('watch: as metadata', WATCHED, 1, [], {
    accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  }),
  get('watch: initial events without a match', `${MAPS}?watch=1&sendInitialEvents=true`),
  get('watch: a match without initial events', `${MAPS}?watch=1&resourceVersionMatch=Exact`),
  get('watch: a version that is none', `${MAPS}?watch=1&resourceVersion=abc`),
  get('watch: a selector that is none', `${MAPS}?watch=1&labelSelector=%3D`),
  get('watch: a timeout that is none', `${MAPS}?watch=1&timeoutSeconds=soon`),
  get('watch: a resource nobody knows', '/api/v1/unknowns?watch=1'),
  watch('watch: ends at its time', `${WATCHED}&resourceVersion=$from&timeoutSeconds=1`, 100),
];
