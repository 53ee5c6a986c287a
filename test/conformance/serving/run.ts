// Runs tables as tests on one `pilotlight up` per test file: first all rows at once, then, one by one,
// those that change something global. The former start together, before the first test: vitest alone
// would run five at a time, and rows mostly wait.

import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Pilotlight, startPilotlight } from '../../support/pilotlight.ts';
import { Cluster } from './cluster.ts';
import { CONFIG_MAP, SYSTEM_NAMESPACE } from './resources.ts';
import type { ServingRow, ServingTable } from './row.ts';

/** Revisions may start without a pod; else the values of config/. */
const AUTOSCALER = { 'allow-zero-initial-scale': 'true' };
/** Rows under way at a time; one more waits for the one so many before it. */
const MAX_ROWS_AT_ONCE = 20;
/** No row takes as long alone; all of them share two cores. */
const LIMIT_MS = 120_000;

export interface RunOptions {
  /** Keys of config-autoscaler. */
  autoscaler?: Record<string, string>;
  /** Keys of other config maps, set before the first row. */
  configMaps?: Record<string, Record<string, string>>;
  args?: string[];
}

export function runTables(tables: readonly ServingTable[], options: RunOptions = {}): void {
  let pilotlight: Pilotlight | undefined;
  let cluster: Cluster | undefined;
  let results = new Map<ServingRow, Promise<void>>();
  beforeAll(async () => {
    const autoscaler = { ...AUTOSCALER, ...options.autoscaler };
    pilotlight = await startPilotlight({ ...options, autoscaler });
    cluster = new Cluster(pilotlight);
    for (const [name, data] of Object.entries(options.configMaps ?? {})) {
      await cluster.patch(CONFIG_MAP, name, { data }, SYSTEM_NAMESPACE);
    }
    results = startAll(rowsOf(tables, false), cluster);
  }, LIMIT_MS);
  afterAll(async () => {
    cluster?.close();
    await pilotlight?.[Symbol.asyncDispose]();
  }, LIMIT_MS);
  for (const alone of [false, true]) {
    for (const { area, rows } of tables) {
      const chosen = rows.filter((row) => row.alone === alone);
      if (chosen.length === 0) continue;
      describe(area, () => {
        for (const row of chosen) {
          const check = () => results.get(row) ?? row.check(cluster!);
          it(`${row.cites}: ${row.says}`, check, LIMIT_MS);
        }
      });
    }
  }
}

const rowsOf = (tables: readonly ServingTable[], alone: boolean): ServingRow[] =>
  tables.flatMap(({ rows }) => rows.filter((row) => row.alone === alone));

/** Starts the rows in order, so many at a time. */
function startAll(rows: readonly ServingRow[], cluster: Cluster): Map<ServingRow, Promise<void>> {
  const ended: Promise<unknown>[] = [];
  const results = new Map<ServingRow, Promise<void>>();
  for (const [index, row] of rows.entries()) {
    const before = ended.length < MAX_ROWS_AT_ONCE ? null : ended[index - MAX_ROWS_AT_ONCE];
    const result = Promise.resolve(before).then(() => row.check(cluster));
    results.set(row, result);
    // A failure is the test's to report.
    ended.push(result.catch(() => undefined));
  }
  return results;
}
