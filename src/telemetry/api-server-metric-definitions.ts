// Metrics of the embedded API server, as data: src/apiserver/server-metrics.ts and docs/metrics.md
// read this table. The first two have the names kube-apiserver gives them. Types only are imported.

import type { MetricDefinition } from './metric-definitions.ts';

const metric = (
  name: string,
  kind: MetricDefinition['kind'],
  labels: readonly string[],
  help: string,
): MetricDefinition => ({
  name,
  prometheus: name,
  kind,
  unit: '1',
  help,
  labels,
  scope: '',
  bounds: [],
  names: 'always',
  spec: 'D9',
});

export const API_SERVER = {
  REQUESTS: metric(
    'apiserver_request_total',
    'counter',
    ['verb', 'group', 'version', 'resource', 'subresource', 'code'],
    'Answered requests on resources.',
  ),
  OBJECTS: metric('apiserver_storage_objects', 'gauge', ['resource'], 'Objects in the store.'),
  REVISION: metric('pilotlight_apiserver_revision', 'gauge', [], 'Number of the last write.'),
  WATCHES: metric(
    'pilotlight_apiserver_watches',
    'gauge',
    ['client', 'resource'],
    'Open watches by program.',
  ),
} satisfies Readonly<Record<string, MetricDefinition>>;

export const API_SERVER_METRICS: readonly MetricDefinition[] = Object.values(API_SERVER);
