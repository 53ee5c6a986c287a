// Runs tables as tests on one `pilotlight up` per test file: first all rows at once, then, one by one,
// those that change something global.

import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Pilotlight, startPilotlight } from '../../support/pilotlight.ts';
import { Cluster } from './cluster.ts';
import type { ServingTable } from './row.ts';

/** Revisions may start without a pod; else the values of config/. */
const AUTOSCALER = { 'allow-zero-initial-scale': 'true' };

export function runTables(
  tables: readonly ServingTable[],
  options: { autoscaler?: Record<string, string>; args?: string[] } = {},
): void {
  let pilotlight: Pilotlight | undefined;
  let cluster: Cluster | undefined;
  beforeAll(async () => {
    const autoscaler = { ...AUTOSCALER, ...options.autoscaler };
    pilotlight = await startPilotlight({ ...options, autoscaler });
    cluster = new Cluster(pilotlight);
  });
  afterAll(async () => {
    cluster?.close();
    await pilotlight?.[Symbol.asyncDispose]();
  });
  const tests = (alone: boolean) => {
    for (const { area, rows } of tables) {
      const chosen = rows.filter((row) => row.alone === alone);
      const declare = alone ? describe.sequential : describe.concurrent;
      if (chosen.length > 0) {
        declare(area, () => {
          for (const row of chosen) it(`${row.cites}: ${row.says}`, () => row.check(cluster!));
        });
      }
    }
  };
  tests(false);
  tests(true);
}
