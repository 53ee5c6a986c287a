// A Service: what it makes, what it fills in, and what it reports.

import { expect } from 'vitest';
import { service } from './objects.ts';
import { CONFIGURATION, ROUTE, SERVICE } from './resources.ts';
import { row, type ServingRow, shared } from './row.ts';

const plain = shared((cluster) =>
  cluster.deploy(service('plain', { metadata: { labels: { team: 'a' } } })),
);

export const serviceRows: readonly ServingRow[] = [
  row(
    'CP-120',
    'makes one Configuration and one Route of its name, and owns them',
    async (cluster) => {
      const { metadata } = await plain(cluster);
      for (const resource of [CONFIGURATION, ROUTE]) {
        const child = await cluster.get(resource, 'plain');
        expect(child.metadata.ownerReferences).toMatchObject([
          { kind: 'Service', name: 'plain', uid: metadata.uid, controller: true },
        ]);
      }
    },
  ),
  row('WH-31', 'is marked with who made it', async (cluster) => {
    const { metadata } = await plain(cluster);
    expect(metadata.annotations).toHaveProperty(['serving.knative.dev/creator']);
  }),
  row('CP-41', 'has no conditions but Ready and its two dependents', async (cluster) => {
    await plain(cluster);
    const { status } = await cluster.get(SERVICE, 'plain');
    const types = status?.conditions?.map(({ type }) => type);
    expect(types).toEqual(['ConfigurationsReady', 'Ready', 'RoutesReady']);
  }),
];
