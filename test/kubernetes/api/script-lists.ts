// Lists: selectors, pages, versions and what is wrong with each; then the same as tables.

import { CORE, configMap, get, MAPS, PODS, pod, post, put, type Step } from './step.ts';

const LISTS = `${CORE}/configmaps?labelSelector=set%3Dlists`;
const named = (name: string, labels: Record<string, string>): Step =>
  post(`list: ${name}`, MAPS, configMap(name, {}, { labels: { set: 'lists', ...labels } }));

const objects: Step[] = [
  named('l1', { tier: 'a', number: '1' }),
  named('l2', { tier: 'b', number: '2' }),
  named('l3', { tier: 'b', number: '3' }),
  named('l4', { number: '4' }),
  named('l5', { tier: '' }),
];

const select = (selector: string): Step =>
  get(`select ${selector}`, `${LISTS}%2C${encodeURIComponent(selector)}`);

const selectors: Step[] = [
  get('list all of a set', LISTS, { save: { listed: 'metadata.resourceVersion' } }),
  select('tier=a'),
  select('tier==b'),
  select('tier!=b'),
  select('tier'),
  select('!tier'),
  select('tier in (a, b)'),
  select('tier notin (a)'),
  select('number>2'),
  select('number<3'),
  select('tier='),
  select('tier in ()'),
  select('tier=b,number!=2'),
  select('tier in (a'),
  select('=a'),
  select('tier=not good'),
  select('number>x'),
  get('field: name', `${MAPS}?fieldSelector=metadata.name%3Dl1`),
  get('field: not a name', `${LISTS}&fieldSelector=metadata.name%21%3Dl1`),
  get(
    'field: name and namespace',
    `/api/v1/configmaps?fieldSelector=metadata.name%3Dl1%2Cmetadata.namespace%3D$ns`,
  ),
  get('field: unknown', `${MAPS}?fieldSelector=data.a%3D1`),
  get('field: broken', `${MAPS}?fieldSelector=metadata.name`),
  get('list across namespaces', '/api/v1/configmaps?labelSelector=set%3Dlists'),
  get('list nothing', `${MAPS}?labelSelector=set%3Dnothing`),
];

const pages: Step[] = [
  get('page one of two', `${LISTS}&limit=2`, { save: { next: 'metadata.continue' } }),
  get('page two', `${LISTS}&limit=2&continue=$next`, { save: { last: 'metadata.continue' } }),
  get('page three', `${LISTS}&limit=2&continue=$last`),
  get('the rest of a page', `${LISTS}&continue=$next`),
  get('a page with another version', `${LISTS}&limit=2&continue=$next&resourceVersion=5`),
  get('a page after nonsense', `${LISTS}&limit=2&continue=nonsense`),
  get('a limit above all', `${LISTS}&limit=500`),
  get('a limit of 0', `${LISTS}&limit=0`),
  get('a limit below 0', `${LISTS}&limit=-1`),
  get('a limit that is none', `${LISTS}&limit=many`),
];

const versions: Step[] = [
  put(
    'change for versions',
    `${MAPS}/l1`,
    configMap(
      'l1',
      { data: { changed: '1' } },
      {
        labels: { set: 'lists', tier: 'a', number: '1' },
      },
    ),
  ),
  get('list at version 0', `${LISTS}&resourceVersion=0`),
  get('list not older than', `${LISTS}&resourceVersion=$listed`),
  get('list exactly', `${LISTS}&resourceVersion=$listed&resourceVersionMatch=Exact`),
  get('list exactly 0', `${LISTS}&resourceVersion=0&resourceVersionMatch=Exact`),
  get('list match without a version', `${LISTS}&resourceVersionMatch=Exact`),
  get('list match nobody knows', `${LISTS}&resourceVersion=1&resourceVersionMatch=Roughly`),
  get('list at version 1', `${LISTS}&resourceVersion=1&resourceVersionMatch=Exact`),
  get('list at a version that is none', `${LISTS}&resourceVersion=abc`),
  get('list far in the future', `${LISTS}&resourceVersion=9000000000000000`),
];

const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
const METADATA = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };

const tables: Step[] = [
  get('table: config maps', LISTS, TABLE),
  get('table: one config map', `${MAPS}/l1`, TABLE),
  get('table: whole objects', `${LISTS}&includeObject=Object&limit=1`, TABLE),
  get('table: no objects', `${LISTS}&includeObject=None`, TABLE),
  get('table: objects nobody knows', `${LISTS}&includeObject=Some`, TABLE),
  post('pod for tables', PODS, pod('shown', {}, { labels: { set: 'lists' } })),
  get('table: pods', `${PODS}?labelSelector=set%3Dlists`, TABLE),
  get('table: namespaces', '/api/v1/namespaces?fieldSelector=metadata.name%3D$ns', TABLE),
  get('table: services', `${CORE}/services`, TABLE),
  get('table: endpoints', `${CORE}/endpoints`, TABLE),
  get('table: secrets', `${CORE}/secrets`, TABLE),
  get('table: nodes', '/api/v1/nodes', TABLE),
  get('table: events', `${CORE}/events`, TABLE),
  get('table: service accounts', `${CORE}/serviceaccounts`, TABLE),
  get('table: deployments', '/apis/apps/v1/namespaces/$ns/deployments', TABLE),
  get('table: leases', '/apis/coordination.k8s.io/v1/namespaces/$ns/leases', TABLE),
  get('table: autoscalers', '/apis/autoscaling/v2/namespaces/$ns/horizontalpodautoscalers', TABLE),
  get('table: endpoint slices', '/apis/discovery.k8s.io/v1/namespaces/$ns/endpointslices', TABLE),
  get('metadata: config maps', LISTS, METADATA),
  get('metadata: one', `${MAPS}/l1`, {
    accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  }),
];

export const listSteps: Step[] = [...objects, ...selectors, ...pages, ...versions, ...tables];
