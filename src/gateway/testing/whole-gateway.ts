// A whole gateway on free ports of loopback, over an API in memory.

import { INGRESS_CLASS } from '../../api/labels.ts';
import { systemClock } from '../../clock/clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import type { MemoryClient } from '../../kube/testing/memory-client.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { type GatewayOptions, type RunningGateway, startGateway } from '../start.ts';
import { seededRandom } from './harness.ts';

/** `cleanups` run at the end of the test, last in first out. */
export async function startWholeGateway(
  client: MemoryClient,
  seed: number,
  cleanups: (() => Promise<void> | void)[],
  more: Partial<GatewayOptions> = {},
): Promise<RunningGateway> {
  const deps = { clock: systemClock, logger: silentLogger, random: seededRandom(seed) };
  const informers = createInformerFactory(client, deps);
  cleanups.push(() => informers.stop());
  const starting = startGateway({
    ...deps,
    client,
    informers,
    host: '127.0.0.1',
    port: 0,
    localHost: '127.0.0.1',
    localPort: 0,
    systemNamespace: 'knative-serving',
    clusterDomain: 'cluster.local',
    ingressClass: INGRESS_CLASS,
    ...more,
  });
  await informers.start();
  const gateway = await starting;
  cleanups.push(() => gateway.stop());
  return gateway;
}
