import { afterEach, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { createInformerFactory } from '../kube/informer.ts';
import { MemoryClient } from '../kube/testing/memory-client.ts';
import { silentLogger as logger } from '../telemetry/logger.ts';
import { ConfigWatch } from './config-watch.ts';

const systemNamespace = 'knative-serving';
const clock = new FakeClock();
const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function watch(name: string, data: Record<string, string>): Promise<ConfigWatch> {
  const client = new MemoryClient({ clock });
  const map = { apiVersion: 'v1', kind: 'ConfigMap', data };
  const metadata = { name, namespace: systemNamespace };
  await client.create<ConfigMap>(kinds.ConfigMap, { ...map, metadata });
  const informers = createInformerFactory(client, { clock, logger, random: () => 0.5 });
  const config = new ConfigWatch({ informers, logger, systemNamespace });
  await informers.start();
  stops.push(
    () => config.stop(),
    () => informers.stop(),
  );
  return config;
}

describe('config maps of the autoscaler', () => {
  it.each([
    [{}, 'auto', false],
    [{ 'mesh-compatibility-mode': 'Enabled' }, 'enabled', false],
    [{ 'mesh-compatibility-mode': 'DISABLED' }, 'disabled', false],
    [{ 'mesh-compatibility-mode': 'nonsense' }, 'auto', false],
    [{ 'enable-mesh-pod-addressability': 'true' }, 'auto', true],
  ])('AS-66: %j means %s, %s', async (data, mode, podAddressability) => {
    const config = await watch('config-network', data as Record<string, string>);
    expect(config.readMesh()).toEqual({ mode, podAddressability });
  });

  it.each([
    [{}, 600_000],
    [{ 'progress-deadline': '2m' }, 120_000],
    [{ 'progress-deadline': '-1s' }, 600_000],
  ])('AS-49: %j gives a progress deadline of %d ms', async (data, expected) => {
    const config = await watch('config-deployment', data as Record<string, string>);
    expect(config.progressDeadlineMs).toBe(expected);
  });
});
