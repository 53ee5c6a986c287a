// The environment of an autoscaler process, its leader election and its place among others.

import { describe, expect, it } from 'vitest';
import { parseLeaderElectionConfig } from '../api/config/leader-election.ts';
import { readIdentity } from './ha/identity.ts';
import { readStatefulPlace, StatefulOwnership } from './ha/stateful-ownership.ts';
import { readProcessSettings } from './process-settings.ts';

const ENV = { POD_NAME: 'as-0', POD_IP: '10.0.0.7', SYSTEM_NAMESPACE: 'knative-serving' };

describe('identity', () => {
  it.each([
    [{ POD_NAME: 'a' }, 'POD_IP environment variable not set'],
    [{ POD_NAME: 'a', POD_IP: '' }, 'POD_IP environment variable is empty'],
    [{ POD_IP: '10.0.0.7' }, 'POD_NAME environment variable not set'],
    [{ POD_NAME: '', POD_IP: '10.0.0.7' }, 'POD_NAME environment variable is empty'],
  ])('AS-167: %j is refused: %s', (env, message) => {
    expect(() => readIdentity(env)).toThrow(message);
  });
});

describe('config-leader-election', () => {
  it('AS-166: a missing map means defaults', () => {
    expect(parseLeaderElectionConfig(undefined)).toEqual({
      ok: true,
      value: {
        leaseDurationMs: 60_000,
        renewDeadlineMs: 40_000,
        retryPeriodMs: 10_000,
        buckets: 1,
        leasePrefixes: {},
      },
    });
  });

  it('AS-166: reads Go durations', () => {
    const parsed = parseLeaderElectionConfig({
      'lease-duration': '1m30s',
      'renew-deadline': '4s',
      'retry-period': '500ms',
      buckets: '10',
    });
    expect(parsed).toMatchObject({
      value: { leaseDurationMs: 90_000, renewDeadlineMs: 4000, retryPeriodMs: 500, buckets: 10 },
    });
  });

  it.each([
    [{ buckets: '0' }, 'buckets: value must be between 1 <= 0 <= 10'],
    [{ buckets: '11' }, 'buckets: value must be between 1 <= 11 <= 10'],
    [{ 'lease-duration': 'soon' }, 'failed to parse "lease-duration": '],
    [
      { 'lease-duration': '40s' },
      'lease-duration must be longer than renew-deadline, was 40s and 40s',
    ],
  ])('AS-166: %j is refused', (data, message) => {
    const parsed = parseLeaderElectionConfig(data);
    expect(parsed.ok ? [] : parsed.problems).toEqual([expect.stringContaining(message)]);
  });
});

describe('the environment of the process', () => {
  it('AS-188, AS-189: has defaults for all but pod and namespace', () => {
    expect(readProcessSettings(ENV, '')).toMatchObject({
      podName: 'as-0',
      bindAddress: '0.0.0.0',
      port: 8080,
      metricsPort: 9090,
      metricNames: 'current',
      clusterDomain: 'cluster.local',
      configNames: { leaderElection: 'config-leader-election' },
    });
    expect(readProcessSettings({ ...ENV, POD_IP: 'fd00::7' }, '').bindAddress).toBe('::');
  });

  it("finds the cluster's domain where every pod searches", () => {
    const resolvConf = 'nameserver 10.96.0.10\nsearch ns.svc.lab.example svc.lab.example. lab\n';
    expect(readProcessSettings(ENV, resolvConf).clusterDomain).toBe('lab.example');
    const given = { ...ENV, CLUSTER_DOMAIN: 'mine' };
    expect(readProcessSettings(given, resolvConf).clusterDomain).toBe('mine');
  });

  it('names the variable that is wrong', () => {
    expect(() => readProcessSettings({ ...ENV, SYSTEM_NAMESPACE: '' }, '')).toThrow(
      'SYSTEM_NAMESPACE',
    );
    expect(() => readProcessSettings({ ...ENV, AUTOSCALER_PORT: 'x' }, '')).toThrow(
      'AUTOSCALER_PORT must be a whole number from 0 to 65535, not "x"',
    );
  });
});

describe('AS-176: a place in a StatefulSet', () => {
  const names = { bucketCount: 2, systemNamespace: 'sys', clusterDomain: 'cluster.local' };
  const env = { STATEFUL_CONTROLLER_ORDINAL: 'as-1', STATEFUL_SERVICE_NAME: 'svc' };

  it('is the ordinal, and buckets are addresses', () => {
    expect(readStatefulPlace(env, names)).toEqual({
      ordinal: 1,
      buckets: [
        'http://as-0.svc.sys.svc.cluster.local:80',
        'http://as-1.svc.sys.svc.cluster.local:80',
      ],
    });
    const other = { STATEFUL_SERVICE_PORT: '8080', STATEFUL_SERVICE_PROTOCOL: 'ws' };
    expect(readStatefulPlace({ ...env, ...other }, names)?.buckets[0]).toBe(
      'ws://as-0.svc.sys.svc.cluster.local:8080',
    );
  });

  it.each([
    { ...env, STATEFUL_CONTROLLER_ORDINAL: 'as-2' },
    { ...env, STATEFUL_CONTROLLER_ORDINAL: 'as' },
    { STATEFUL_CONTROLLER_ORDINAL: 'as-1' },
  ])('is none for %j', (bad) => {
    expect(readStatefulPlace(bad, names)).toBeNull();
  });

  it('owns its bucket from the start and knows where the others are', () => {
    const ownership = new StatefulOwnership(readStatefulPlace(env, names)!);
    const heard: string[] = [];
    ownership.listen({
      onGained: (bucket) => heard.push(`gained ${bucket}`),
      onLost: () => heard.push('lost'),
      onHolder: (bucket, address) => heard.push(`${address} holds ${bucket}`),
    });
    expect(ownership.isOwned(ownership.buckets[1]!)).toBe(false);
    ownership.start();
    expect(ownership.isOwned(ownership.buckets[1]!)).toBe(true);
    expect(heard).toEqual([
      'as-0.svc.sys.svc.cluster.local holds http://as-0.svc.sys.svc.cluster.local:80',
      'gained http://as-1.svc.sys.svc.cluster.local:80',
    ]);
    expect(ownership.baseUrl(ownership.buckets[0]!)).toBe('ws://as-0.svc.sys.svc.cluster.local:80');
  });
});
