// Which Revisions may go, as a table.

import { describe, expect, it } from 'vitest';
import type { GcConfig } from '../../api/config/gc.ts';
import type { Configuration, Revision } from '../../api/serving.ts';
import { revisionsToDelete } from './plan.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_700_000_000_000;
const at = (hoursAgo: number): string => new Date(NOW_MS - hoursAgo * HOUR_MS).toISOString();

const configuration: Configuration = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Configuration',
  metadata: { name: 'c' },
  spec: { template: { spec: { containers: [] } } },
  status: { latestReadyRevisionName: 'r5' },
};

/** In reserve for `hours`, made as long ago. */
function revision(
  name: string,
  hours: number,
  change: Partial<Revision['metadata']> = {},
): Revision {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: {
      name,
      creationTimestamp: at(hours),
      labels: { 'serving.knative.dev/routingState': 'reserve' },
      annotations: { 'serving.knative.dev/routingStateModified': at(hours) },
      ...change,
    },
    spec: { containers: [] },
  };
}

const config: GcConfig = {
  retainSinceCreateTimeMs: 48 * HOUR_MS,
  retainSinceLastActiveTimeMs: 15 * HOUR_MS,
  minNonActiveRevisions: 1,
  maxNonActiveRevisions: null,
};

describe('CP-390: which Revisions go', () => {
  const idle = [revision('r1', 90), revision('r2', 80), revision('r3', 70), revision('r4', 1)];
  const rows: [string, Revision[], Partial<GcConfig>, string[]][] = [
    ['stale ones, oldest first, down to the minimum', idle, {}, ['r1', 'r2', 'r3']],
    ['no more than are above the minimum', idle, { minNonActiveRevisions: 3 }, ['r1']],
    ['none at or below the minimum', idle, { minNonActiveRevisions: 4 }, []],
    [
      'none when everything is off',
      idle,
      { retainSinceCreateTimeMs: null, retainSinceLastActiveTimeMs: null },
      [],
    ],
    [
      'the surplus over the maximum, however young',
      idle,
      {
        retainSinceCreateTimeMs: null,
        retainSinceLastActiveTimeMs: null,
        maxNonActiveRevisions: 2,
      },
      ['r1', 'r2'],
    ],
    ['young ones stay', [revision('r1', 47), revision('r2', 46)], {}, []],
    [
      'never the latest ready, a routed or a protected one',
      [
        revision('r5', 99),
        revision('r6', 98, { labels: { 'serving.knative.dev/routingState': 'active' } }),
        revision('r7', 97, { annotations: { 'serving.knative.dev/no-gc': 'TRUE' } }),
        revision('r8', 96),
        revision('r9', 95),
      ],
      {},
      ['r8'],
    ],
  ];

  it.each(rows)('%s', (_name, revisions, change, expected) => {
    const gone = revisionsToDelete(configuration, revisions, { ...config, ...change }, NOW_MS);
    expect(gone.map(({ metadata }) => metadata.name)).toEqual(expected);
  });
});
