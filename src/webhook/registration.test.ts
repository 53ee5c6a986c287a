// What the process reads, when certificates are made anew, and what the configurations become.

import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  createCertificates,
  readCertificates,
  usableUntilMs,
  withCertificates,
} from './certificates.ts';
import {
  CONFIGURATIONS,
  desiredConfiguration,
  EXCLUDE_LABEL,
  type WebhookConfiguration,
} from './configurations.ts';
import { readWebhookSettings } from './process-settings.ts';

const NAMES = { service: 'webhook', namespace: 'knative-serving', clusterDomain: 'cluster.local' };
const NOW_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 24 * 60 * 60 * 1000;

describe('WH-1: the environment', () => {
  const read = (env: object, ...args: string[]) =>
    readWebhookSettings({ SYSTEM_NAMESPACE: 'ks', ...env }, args, '');

  it('has the defaults of the specification', () => {
    expect(read({})).toEqual({
      systemNamespace: 'ks',
      clusterDomain: 'cluster.local',
      podName: 'webhook',
      serviceName: 'webhook',
      bindAddress: '0.0.0.0',
      port: 8443,
      tls: { minVersion: 'TLSv1.3' },
      drainQuietMs: 45_000,
      isOwnedByNamespace: true,
      isAlone: false,
      configNames: { logging: 'config-logging', leaderElection: 'config-leader-election' },
    });
    expect(read({ WEBHOOK_DISABLE_NAMESPACE_OWNERSHIP: 'true' }).isOwnedByNamespace).toBe(false);
    expect(read({ WEBHOOK_TLS_MIN_VERSION: '1.2' }).tls.minVersion).toBe('TLSv1.2');
  });

  it('is refused with the name of each variable', () => {
    expect(() => read({ WEBHOOK_PORT: 'x' })).toThrow("WEBHOOK_PORT: 'x' is not a port number");
    expect(() => read({ WEBHOOK_TLS_MIN_VERSION: '1.1' })).toThrow(
      'WEBHOOK_TLS_MIN_VERSION: unknown TLS version "1.1", use "1.2" or "1.3"',
    );
    expect(() => read({ SYSTEM_NAMESPACE: '' })).toThrow('SYSTEM_NAMESPACE');
    expect(() => read({}, '--nonsense')).toThrow('unknown flag "--nonsense"');
  });
});

describe('WH-3: certificates', () => {
  it('name the Service in four ways and hold for seven days', async () => {
    const set = await createCertificates(NAMES, NOW_MS);
    const certificate = new X509Certificate(set.certificate);
    expect(certificate.subject).toBe('O=knative.dev\nCN=webhook.knative-serving.svc');
    expect(certificate.subjectAltName).toBe(
      'DNS:webhook, DNS:webhook.knative-serving, DNS:webhook.knative-serving.svc, ' +
        'DNS:webhook.knative-serving.svc.cluster.local',
    );
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(usableUntilMs(set, NAMES)).toBe(NOW_MS + 7 * DAY_MS);
    expect(set.key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  });

  it('are useless when a part is missing, foreign, broken, or for another name', async () => {
    const set = await createCertificates(NAMES, NOW_MS);
    const other = await createCertificates(NAMES, NOW_MS);
    const isUsable = (more: object): boolean => usableUntilMs({ ...set, ...more }, NAMES) > 0;
    expect(isUsable({})).toBe(true);
    expect(isUsable({ key: other.key })).toBe(false);
    expect(isUsable({ authority: other.authority })).toBe(false);
    expect(isUsable({ certificate: 'x' })).toBe(false);
    expect(usableUntilMs(set, { ...NAMES, service: 'other' })).toBe(0);
    const metadata = { name: 'webhook-certs' };
    const secret = withCertificates({ apiVersion: 'v1', kind: 'Secret', metadata }, set);
    expect(readCertificates(secret)).toEqual(set);
    expect(readCertificates({ ...secret, data: { ...secret.data, 'ca-cert.pem': '' } })).toBeNull();
    expect(readCertificates(undefined)).toBeNull();
  });
});

describe('WH-10 to WH-12: configurations', () => {
  const installed = (name: string): WebhookConfiguration => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'X',
    metadata: { name },
    webhooks: [
      {
        name,
        clientConfig: { service: { path: '/old' } },
        namespaceSelector: { matchExpressions: [{ key: 'foreign', operator: 'Exists' }] },
      },
    ],
  });
  const desired = CONFIGURATIONS.map((row) =>
    desiredConfiguration(installed(row.name), row, 'pem', null),
  );

  it('WH-10: three, each with its path and operations', () => {
    const seen = desired.map(({ webhooks: [webhook] = [] }) => [
      webhook?.name,
      webhook?.clientConfig.service?.path,
      webhook?.rules?.[0]?.operations.join(' '),
    ]);
    expect(seen).toEqual([
      ['webhook.serving.knative.dev', '/defaulting', 'CREATE UPDATE'],
      ['validation.webhook.serving.knative.dev', '/resource-validation', 'CREATE UPDATE DELETE'],
      ['config.webhook.serving.knative.dev', '/config-validation', 'CREATE UPDATE'],
    ]);
  });

  it('WH-11: foreign expressions stay, ours is added to the first two', () => {
    const selectors = desired.map(({ webhooks }) => webhooks?.[0]?.namespaceSelector);
    const foreign = { key: 'foreign', operator: 'Exists' };
    const ours = { key: EXCLUDE_LABEL, operator: 'DoesNotExist' };
    expect(selectors.map((selector) => selector?.matchExpressions)).toEqual([
      [foreign, ours],
      [foreign, ours],
      [foreign],
    ]);
    expect(desired[0]?.webhooks?.[0]?.reinvocationPolicy).toBe('IfNeeded');
    const again = desiredConfiguration(desired[0]!, CONFIGURATIONS[0]!, 'pem', null);
    expect(again).toEqual(desired[0]);
  });

  it('WH-12: one rule per kind, with its status, sorted', () => {
    const rules = desired[0]?.webhooks?.[0]?.rules ?? [];
    const names = rules.map(
      ({ apiGroups, apiVersions, resources }) =>
        `${apiGroups[0]}/${apiVersions[0]}/${resources[0]}`,
    );
    expect(names).toHaveLength(10);
    expect(names).toEqual([...names].sort());
    expect(rules.every(({ resources: [one, two] }) => two === `${one}/status`)).toBe(true);
  });
});
