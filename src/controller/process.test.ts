// A controller process at its start: what it reads, what it refuses, and what its probes say.

import { afterEach, describe, expect, it } from 'vitest';
import * as kinds from '../api/kinds.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import type { KubeClient, RawResponse } from '../kube/types.ts';
import { HealthServer } from './health-server.ts';
import { runController } from './process.ts';
import { readControllerSettings } from './process-settings.ts';
import { hasImageKind, readStartConfig, requireCertManager } from './start-checks.ts';

const env = { SYSTEM_NAMESPACE: 'knative-serving', POD_NAME: 'c-0' };

describe('CP-3: the environment', () => {
  it('CP-8: the cluster domain is set, searched for, or the usual one', () => {
    const domain = (more: object, resolvConf: string): string =>
      readControllerSettings({ ...env, ...more }, [], resolvConf).clusterDomain;
    const conf = 'nameserver 1.1.1.1\nsearch x.svc.foo svc.corp.example. corp.example\n';
    expect(domain({ CLUSTER_DOMAIN: 'own' }, conf)).toBe('own');
    expect(domain({}, conf)).toBe('corp.example');
    expect(domain({}, '')).toBe('cluster.local');
  });

  it('CP-4: --disable-ha works alone; other known flags are accepted, unknown ones refused', () => {
    const alone = (...args: string[]): boolean => readControllerSettings(env, args, '').isAlone;
    expect(alone()).toBe(false);
    expect(alone('--disable-ha')).toBe(true);
    expect(alone('--kube-api-qps', '50', '--reconciliation-timeout=10s')).toBe(false);
    expect(() => alone('--nonsense')).toThrow('unknown flag "--nonsense"');
  });

  it('registries are spoken to as the variables say', () => {
    const variables = {
      ...env,
      TAG_TO_DIGEST_TLS_MIN_VERSION: '1.2',
      TAG_TO_DIGEST_TLS_CIPHER_SUITES: 'a,b',
    };
    const { registryTls } = readControllerSettings(variables, [], '');
    expect(registryTls).toEqual({ minVersion: 'TLSv1.2', ciphers: 'a:b' });
    const bad = { ...env, TAG_TO_DIGEST_TLS_MAX_VERSION: '9' };
    expect(() => readControllerSettings(bad, [], '')).toThrow(
      'TAG_TO_DIGEST_TLS_MAX_VERSION must be 1.2 or 1.3, not "9"',
    );
  });

  it('ends with 2 when a variable is missing', async () => {
    const printed: string[] = [];
    const codes: number[] = [];
    await runController({
      env: {},
      args: [],
      clock: new FakeClock(),
      random: () => 0.5,
      onSignal: () => undefined,
      exit: (code) => codes.push(code),
      printError: (line) => printed.push(line),
    });
    expect([codes, printed]).toEqual([[2], ['SYSTEM_NAMESPACE environment variable not set']]);
  });
});

describe('CP-9: config maps at the start', () => {
  async function withMaps(more: Record<string, Record<string, string>>): Promise<MemoryClient> {
    const client = new MemoryClient();
    const names = [
      'autoscaler',
      'defaults',
      'deployment',
      'domain',
      'features',
      'gc',
      'logging',
      'network',
      'observability',
    ];
    for (const name of names) {
      const image = name === 'deployment' ? { 'queue-sidecar-image': 'qp' } : {};
      await client.create(kinds.ConfigMap, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: 'knative-serving', name: `config-${name}` },
        data: { ...image, ...more[name] },
      } as never);
    }
    return client;
  }

  it('all have to be there and to parse', async () => {
    const read = (client: KubeClient) =>
      readStartConfig(client, 'knative-serving', 'cluster.local');
    await expect(read(await withMaps({}))).resolves.toEqual({ wantsCertManager: false });
    await expect(read(new MemoryClient())).rejects.toThrow('does not exist');
    await expect(
      read(await withMaps({ gc: { 'min-non-active-revisions': '-1' } })),
    ).rejects.toThrow(
      'config map config-gc: min-non-active-revisions must be non-negative, was: -1',
    );
  });

  it('CP-2: TLS asks for cert-manager, unless the certificates are our own', async () => {
    const wants = async (network: Record<string, string>): Promise<boolean> =>
      (await readStartConfig(await withMaps({ network }), 'knative-serving', 'cluster.local'))
        .wantsCertManager;
    expect(await wants({ 'external-domain-tls': 'enabled' })).toBe(true);
    expect(await wants({ 'namespace-wildcard-cert-selector': '{}' })).toBe(true);
    const ours = { 'certificate-class': 'pilotlight.certificate.networking.knative.dev' };
    expect(await wants({ 'external-domain-tls': 'enabled', ...ours })).toBe(false);
  });
});

describe('CP-2: kinds of the cluster', () => {
  const serving = (lists: Record<string, string[]>): KubeClient => {
    const client = new MemoryClient();
    client.request = async (_method, path): Promise<RawResponse> => {
      const names = lists[path] ?? [];
      const text = JSON.stringify({ resources: names.map((name) => ({ name })) });
      const { Readable } = await import('node:stream');
      return {
        status: 200,
        contentType: 'application/json',
        body: Readable.from([Buffer.from(text)]),
      };
    };
    return client;
  };
  const certManager = ['certificaterequests', 'certificates', 'clusterissuers', 'issuers'];

  it('a missing one is named', async () => {
    const without = serving({ '/apis/cert-manager.io/v1': certManager });
    await expect(requireCertManager(without)).rejects.toThrow(
      'Please install cert-manager: cert manager crds are missing: challenges',
    );
    const complete = serving({
      '/apis/cert-manager.io/v1': certManager,
      '/apis/acme.cert-manager.io/v1': ['challenges'],
    });
    await expect(requireCertManager(complete)).resolves.toBe(true);
  });

  it('CP-190: Images are made where the API has them', async () => {
    const path = '/apis/caching.internal.knative.dev/v1alpha1';
    await expect(hasImageKind(serving({ [path]: ['images'] }))).resolves.toBe(true);
    await expect(hasImageKind(serving({}))).resolves.toBe(false);
  });
});

describe('CP-7: probes', () => {
  const server = new HealthServer();
  afterEach(() => server.stop());

  it('answer 200, and 500 once the process is about to end', async () => {
    const port = await server.listen('127.0.0.1', 0);
    const get = async (path: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    expect([await get('/health'), await get('/readiness')]).toEqual([200, 200]);
    expect(await get('/other')).toBe(404);
    server.end();
    expect([await get('/health'), await get('/readiness')]).toEqual([500, 500]);
  });
});
