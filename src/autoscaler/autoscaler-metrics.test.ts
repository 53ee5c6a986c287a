// The metrics of the autoscaler, by name and by value, and the page they are served on.

import { afterEach, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { renderPrometheus } from '../telemetry/prometheus-text.ts';
import { AutoscalerMetrics } from './autoscaler-metrics.ts';
import { MetricsOutlet } from './metrics-outlet.ts';
import { NAMESPACE, World } from './testing/world.ts';

const SYSTEM = 'knative-serving';
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startWorld(): Promise<World> {
  const world = await World.start();
  cleanups.push(() => world.stop());
  return world;
}

const page = (world: World, names: 'current' | 'legacy' | 'both') =>
  renderPrometheus(world.autoscaler.metrics.snapshot(names));

function value(text: string, metric: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${metric}{`));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
}

describe('metrics of a revision', () => {
  it('AS-184, AS-185: follow its decisions and its pods', async () => {
    const world = await startWorld();
    await world.createRevision('hello', {
      annotations: { 'autoscaling.knative.dev/target': '10' },
    });
    world.load.set('hello', 40);
    await world.seconds(70);
    const text = page(world, 'current');
    expect(value(text, 'kn_revision_pods_desired')).toBe(6);
    expect(value(text, 'kn_revision_concurrency_target')).toBe(7);
    expect(value(text, 'kn_revision_concurrency_stable')).toBeCloseTo(40);
    expect(value(text, 'kn_revision_concurrency_panic')).toBeCloseTo(40);
    expect(value(text, 'kn_revision_panic_mode')).toBe(0);
    expect(value(text, 'kn_revision_capacity_excess')).toBeLessThan(0);
    expect(value(text, 'kn_revision_pods_requested')).toBe(6);
    expect(value(text, 'kn_revision_pods_count')).toBe(6);
    expect(value(text, 'kn_revision_pods_pending_count')).toBe(0);
    expect(value(text, 'kn_revision_rps_stable_per_second')).toBeUndefined();
    expect(text).toContain(
      'kn_revision_pods_desired{k8s_namespace_name="default",kn_configuration_name="hello",' +
        'kn_revision_name="hello",kn_service_name="",' +
        'otel_scope_name="knative.dev/serving/pkg/autoscaler"',
    );
  });

  it('AS-185: the rate trio instead of the concurrency trio for metric rps', async () => {
    const world = await startWorld();
    await world.createRevision('hello', {
      annotations: { 'autoscaling.knative.dev/metric': 'rps' },
    });
    await world.seconds(4);
    const text = page(world, 'current');
    expect(value(text, 'kn_revision_rps_target_per_second')).toBe(200 * 0.7);
    expect(value(text, 'kn_revision_rps_panic_per_second')).toBe(0);
    expect(value(text, 'kn_revision_concurrency_target')).toBeUndefined();
  });

  it('AS-187: have their older names, alone or besides', async () => {
    const world = await startWorld();
    await world.createRevision('hello');
    await world.seconds(4);
    const legacy = page(world, 'legacy');
    expect(legacy).toContain(
      'autoscaler_actual_pods{configuration_name="hello",namespace_name="default",' +
        'revision_name="hello",service_name="unknown"} 1',
    );
    expect(legacy).toContain('autoscaler_scrape_time_bucket{le="100000"}');
    expect(legacy).not.toContain('kn_revision');
    const both = page(world, 'both');
    expect(both).toContain('kn_revision_pods_count{');
    expect(both).toContain('autoscaler_actual_pods{');
  });

  it('AS-185: disappear with the revision', async () => {
    const world = await startWorld();
    await world.createRevision('hello');
    await world.seconds(4);
    expect(page(world, 'current')).toContain('kn_revision_pods_count{');
    await world.client.delete(kinds.PodAutoscaler, { namespace: NAMESPACE, name: 'hello' });
    await world.seconds(2);
    expect(page(world, 'both')).not.toContain('hello');
  });

  it('AS-184: scrapes are counted in seconds and in milliseconds', async () => {
    const world = await startWorld();
    const metrics = new AutoscalerMetrics({
      deciders: { all: () => [].values() } as never,
      pods: {} as never,
      podAutoscalers: {} as never,
    });
    metrics.noteScrape(20);
    const text = renderPrometheus(metrics.snapshot('both'));
    expect(text).toMatch(/kn_autoscaler_scrape_duration_seconds_bucket\{.*le="0.025"\} 1/);
    expect(text).toContain('autoscaler_scrape_time_bucket{le="10"} 0');
    expect(text).toContain('autoscaler_scrape_time_bucket{le="20"} 1');
    expect(page(world, 'current')).toContain('kn_autoscaler_scrape_duration_seconds_count');
  });
});

describe('the metrics page', () => {
  async function configure(world: World, data: Record<string, string>): Promise<void> {
    const metadata = { name: 'config-observability', namespace: SYSTEM };
    const existing = await world.client.get<ConfigMap>(kinds.ConfigMap, metadata).catch(() => null);
    const map: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
    if (existing === null) await world.client.create(kinds.ConfigMap, map);
    else await world.client.update(kinds.ConfigMap, { ...existing, data });
  }

  it('AS-186: is served only while config-observability says prometheus', async () => {
    const world = await startWorld();
    const outlet = new MetricsOutlet({
      host: '127.0.0.1',
      port: 0,
      configName: 'config-observability',
      systemNamespace: SYSTEM,
      variables: {},
      resource: [['service.name', 'autoscaler']],
      informers: world.informers,
      clock: world.clock,
      logger: silentLogger,
      collect: () => world.autoscaler.metrics.snapshot('current'),
    });
    cleanups.push(() => outlet.stop());
    await world.turns(10);
    expect(outlet.port).toBeNull();
    await configure(world, { 'metrics-protocol': 'prometheus' });
    await world.until('the page', () => outlet.port !== null);
    const url = `http://127.0.0.1:${outlet.port}`;
    const answer = await fetch(`${url}/metrics`);
    expect(answer.headers.get('content-type')).toContain('version=0.0.4');
    expect(await answer.text()).toContain('target_info{service_name="autoscaler"} 1');
    expect((await fetch(`${url}/other`)).status).toBe(404);
    await configure(world, { 'metrics-protocol': 'nonsense' });
    await world.turns(10);
    expect(outlet.port).not.toBeNull();
    await configure(world, { 'metrics-protocol': 'none' });
    await world.until('no page', () => outlet.port === null);
    await expect(fetch(`${url}/metrics`)).rejects.toThrow();
  });
});
