// The bench itself must not rot: a tiny run gives every row with every field, and no request failed.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type QueueProxyRow, run } from './queueproxy.ts';
import { judge } from './support/budgets.ts';
import { BUILD } from './support/processes.ts';

it('a tiny run measures every target with both bodies, and two with varied heads', {
  timeout: 120_000,
}, async () => {
  // Children run compiled code; `npm test` builds it before it starts the tests.
  expect(existsSync(join(BUILD, 'bench', 'support', 'app.js'))).toBe(true);
  const rows = await run({ tiny: true, json: true, peers: [] });
  const proxies = rows.filter((row): row is QueueProxyRow => 'bodyBytes' in row);
  const names = new Set(proxies.map(({ name }) => name));
  for (const name of ['direct', 'ours-net-cc0', 'ours-net-cc100']) expect(names).toContain(name);
  const plain = [...names].filter((name) => !name.endsWith('-varied'));
  expect(names).toContain('ours-net-cc0-varied');
  expect(proxies.length).toBe(plain.length * 2 + names.size - plain.length);
  for (const row of proxies) {
    expect(row.errors, row.name).toBe(0);
    expect(row.rps, row.name).toBeGreaterThan(0);
    if (row.name === 'direct') continue;
    expect(row.cpuUsPerRequest, row.name).toBeGreaterThan(0);
    expect(row.rssMb, row.name).toBeGreaterThan(0);
    expect(row.privateDirtyMb, row.name).toBeGreaterThan(0);
  }
  expect(rows.at(-1)).toMatchObject({ name: 'exec-to-listening' });
});

it('judges what a run measured and nothing else', () => {
  const row: QueueProxyRow = {
    name: 'ours-net-cc0',
    engine: 'net',
    containerConcurrency: 0,
    bodyBytes: 1024,
    cpuUsPerRequest: 15,
    ratioToNginx: 1.36,
    ratioSpread: '1.2..1.5',
    rps: 1,
    p50Ms: 1,
    p99Ms: 1,
    busy: 1,
    loadBusy: 0.5,
    rssIdleMb: 40,
    privateDirtyIdleMb: 10,
    rssMb: 64,
    privateDirtyMb: null,
    errors: 0,
  };
  const knative = { ...row, name: 'knative', cpuUsPerRequest: 50, ratioToNginx: 4 };
  const found = judge([row, knative, { ...row, name: 'nginx', ratioToNginx: 1 }]);
  expect(found.map(({ budget, verdict }) => `${budget}: ${verdict}`)).toEqual([
    'CPU x nginx, 1 KiB: NOT met',
    'RSS MB after 100,000 requests: met',
    'CPU x Knative, 1 KiB: met',
  ]);
});
