// The environment of an activator process: defaults, and every mistake named with its value.

import { describe, expect, it } from 'vitest';
import { SettingsError } from '../settings/env-reader.ts';
import { runActivator } from './process.ts';
import { readActivatorSettings } from './process-settings.ts';

const ENV = { POD_NAME: 'activator-0', POD_IP: '10.1.2.3', SYSTEM_NAMESPACE: 'knative-serving' };

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readActivatorSettings(env, '');
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems;
  }
}

describe('environment of an activator process', () => {
  it('ACT-5: has the defaults of the table', () => {
    expect(readActivatorSettings(ENV, 'search x.svc svc.my.domain. other\n')).toMatchObject({
      podName: 'activator-0',
      podIp: '10.1.2.3',
      clusterDomain: 'my.domain',
      bindAddress: '0.0.0.0',
      port: 8012,
      h2cPort: 8013,
      metricsPort: 9090,
      profilingPort: 8008,
      maxIdle: 1000,
      maxIdlePerHost: 100,
      probeTimeoutMs: 300,
      probePeriodMs: 200,
      drainDelayMs: 45_000,
      minVersion: 'v1.34.0',
      metricNames: 'current',
      configNames: { logging: 'config-logging', observability: 'config-observability' },
    });
  });

  it('ACT-8: the domain is CLUSTER_DOMAIN, else from resolv.conf, else cluster.local', () => {
    expect(readActivatorSettings({ ...ENV, CLUSTER_DOMAIN: 'a.b' }, '').clusterDomain).toBe('a.b');
    expect(readActivatorSettings(ENV, '').clusterDomain).toBe('cluster.local');
  });

  it('ACT-6: names every variable that is missing or wrong, with its value', () => {
    expect(problemsOf({})).toEqual([
      'required key POD_IP missing value',
      'required key POD_NAME missing value',
      'required key SYSTEM_NAMESPACE missing value',
    ]);
    expect(
      [
        ...problemsOf({
          ...ENV,
          ACTIVATOR_PORT: '99999',
          PROBE_TIMEOUT: 'soon',
          PROBE_FREQUENCY: '0s',
          MAX_IDLE_PROXY_CONNS: 'many',
          PILOTLIGHT_HTTP_ENGINE: 'uws',
          KUBERNETES_MIN_VERSION: 'new',
          PILOTLIGHT_METRICS_NAMES: 'old',
          ACTIVATOR_AUTOSCALER_URL: 'http://x',
          ACTIVATOR_DRAIN_SECONDS: '-1',
        }),
      ].sort(),
    ).toEqual([
      "ACTIVATOR_AUTOSCALER_URL: 'http://x' is not a ws:// address",
      "ACTIVATOR_DRAIN_SECONDS: '-1' is not a number of 0 or more",
      "ACTIVATOR_PORT: '99999' is not a port number",
      "KUBERNETES_MIN_VERSION: 'new' is not a version such as v1.34.0",
      "MAX_IDLE_PROXY_CONNS: converting 'many' to type int: invalid syntax",
      'PILOTLIGHT_HTTP_ENGINE: uws serves queue-proxies only, the activator needs net',
      "PILOTLIGHT_METRICS_NAMES: 'old' is not current, legacy or both",
      "PROBE_FREQUENCY: '0s' is not a duration above 0, such as 200ms",
      "PROBE_TIMEOUT: 'soon' is not a duration above 0, such as 300ms",
    ]);
  });

  it('ACT-6: the process ends with 2 and one line per problem', async () => {
    const lines: string[] = [];
    const codes: number[] = [];
    await runActivator({
      env: { POD_NAME: 'a' },
      args: [],
      clock: undefined as never,
      random: () => 0.5,
      onSignal: () => undefined,
      exit: (code) => void codes.push(code),
      printError: (line) => void lines.push(line),
    });
    expect(codes).toEqual([2]);
    expect(lines).toEqual([
      'activator: required key POD_IP missing value',
      'activator: required key SYSTEM_NAMESPACE missing value',
    ]);
  });
});
