// The golden objects CP-600 to CP-610 and the inputs they were made from, for the builders' tests.

import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import {
  CONFIG_MAPS,
  type ConfigMember,
  type ServingConfig,
  stockConfig,
} from '../../api/config/registry.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Configuration, KnativeService, Revision, Route } from '../../api/serving.ts';
import { makeRevision } from '../configuration/resources/revision.ts';
import { makeConfiguration } from '../service/resources/configuration.ts';
import { makeRoute } from '../service/resources/route.ts';

/** 2026-01-02T03:04:05Z. */
export const GOLDEN_NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** The YAML of one golden object; a fresh copy each time. */
export function golden(number: number): unknown {
  return parseYaml(readFileSync(`${import.meta.dirname}/golden/cp-${number}.yaml`, 'utf8'));
}

/** Stock config with some maps replaced. */
export function testConfig(
  maps: Partial<Record<ConfigMember, Record<string, string>>> = {},
): ServingConfig {
  const members: Record<string, unknown> = { ...stockConfig('cluster.local') };
  for (const row of CONFIG_MAPS) {
    const data = maps[row.member];
    if (data === undefined) continue;
    const parsed = row.parse({ ...row.stock, ...data }, 'cluster.local');
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    members[row.member] = parsed.value;
  }
  return members as unknown as ServingConfig;
}

/**
 * The config of the golden inputs. `localhost` stays beside `example.com` only in our stock map.
 */
export function goldenConfig(
  maps: Partial<Record<ConfigMember, Record<string, string>>> = {},
): ServingConfig {
  const domain = CONFIG_MAPS.find((row) => row.member === 'domain')!;
  const parsed = domain.parse({ 'example.com': '' }, 'cluster.local');
  const config = testConfig({
    deployment: { 'queue-sidecar-image': 'qp:1' },
    logging: { 'zap-logger-config': '{}', 'loglevel.queueproxy': 'info' },
    ...maps,
  });
  if (!parsed.ok) throw new Error('domain');
  return { ...config, domain: parsed.value as ServingConfig['domain'] };
}

export function goldenService(): KnativeService {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    ...(golden(600) as object),
  } as KnativeService;
}

export function goldenConfiguration(): Configuration {
  const made = makeConfiguration(goldenService(), undefined);
  return { ...made, metadata: { ...made.metadata, uid: 'cfg-uid', generation: 2 } };
}

export function goldenRoute(): Route {
  const made = makeRoute(goldenService());
  return { ...made, metadata: { ...made.metadata, uid: 'route-uid' } };
}

/** With its image resolved. */
export function goldenRevision(): Revision {
  const made = makeRevision(goldenConfiguration(), GOLDEN_NOW_MS);
  const imageDigest = 'index.docker.io/library/img@sha256:abc';
  return {
    ...made,
    metadata: { ...made.metadata, uid: 'rev-uid' },
    status: { containerStatuses: [{ name: 'user-container', imageDigest }] },
  };
}

/** Without `apiVersion` and `kind`, which the golden objects leave out. */
export function bare(object: KubeObject): object {
  const { apiVersion, kind, ...rest } = object;
  return rest;
}
