// docs/metrics.md is what scripts/metrics.js makes of the registry, and no metric is made elsewhere.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACTIVATOR_METRICS } from '../../src/telemetry/activator-metric-definitions.ts';
import { API_SERVER_METRICS } from '../../src/telemetry/api-server-metric-definitions.ts';
import { AUTOSCALER_METRICS } from '../../src/telemetry/autoscaler-metric-definitions.ts';
import { METRICS, type MetricDefinition } from '../../src/telemetry/metric-definitions.ts';

const root = join(import.meta.dirname, '..', '..');
const metrics: MetricDefinition[] = [
  ...Object.values(METRICS),
  ...ACTIVATOR_METRICS,
  ...AUTOSCALER_METRICS,
  ...API_SERVER_METRICS,
];

describe('docs/metrics.md', () => {
  it('is up to date', async () => {
    const { metricsDocument } = await import('../../scripts/metrics.js');
    expect(readFileSync(join(root, 'docs', 'metrics.md'), 'utf8')).toBe(await metricsDocument());
  });

  it('lists every metric once, under names Prometheus accepts', () => {
    const names = metrics.map(({ prometheus }) => prometheus);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
  });

  it('no source writes Prometheus text beside the registry', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
    const writers = sources.filter((name) => {
      if (!name.endsWith('.ts') || name.endsWith('.test.ts')) return false;
      return readFileSync(join(root, 'src', name), 'utf8').includes('# TYPE ');
    });
    expect(writers).toEqual([join('telemetry', 'prometheus-text.ts')]);
  });
});
