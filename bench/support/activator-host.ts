// A process with one activator in it, for the bench: the API it reads is in memory and holds a
// revision with one pod, the app, and as many others as asked for, whose pods exist on paper only.
// Arguments: port to listen on, port of the app, containerConcurrency, other revisions, pods of each.

import { startActivator } from '../../src/activator/start.ts';
import type { Endpoints } from '../../src/api/core.ts';
import { Endpoints as EndpointsKind, Revision as RevisionKind } from '../../src/api/kinds.ts';
import {
  REVISION_LABEL,
  REVISION_UID_LABEL,
  SERVICE_TYPE_LABEL,
  SERVICE_TYPE_PRIVATE,
} from '../../src/api/labels.ts';
import type { Revision } from '../../src/api/serving.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createInformerFactory } from '../../src/kube/informer.ts';
import { MemoryClient } from '../../src/kube/testing/memory-client.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';

const [port = 0, appPort = 0, containerConcurrency = 0, others = 0, podCount = 0] = process.argv
  .slice(2)
  .map(Number);
const client = new MemoryClient({ clock: systemClock });
const deps = { clock: systemClock, logger: silentLogger, random: Math.random };

interface Pod {
  readonly ip: string;
  readonly port: number;
}

async function deploy(name: string, pods: readonly Pod[]): Promise<void> {
  await client.create<Revision>(RevisionKind, {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { namespace: 'default', name },
    spec: {
      containers: [{ name: 'user-container' }],
      containerConcurrency,
      timeoutSeconds: 300,
      responseStartTimeoutSeconds: 200,
      idleTimeoutSeconds: 100,
    },
  });
  await client.create<Endpoints>(EndpointsKind, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      namespace: 'default',
      name: `${name}-private`,
      labels: {
        [REVISION_LABEL]: name,
        [REVISION_UID_LABEL]: 'bench',
        [SERVICE_TYPE_LABEL]: SERVICE_TYPE_PRIVATE,
      },
    },
    subsets: pods.map(({ ip, port: podPort }) => ({
      addresses: [{ ip }],
      ports: [{ name: 'http', port: podPort }],
    })),
  });
}

await deploy('hello-00001', [{ ip: '127.0.0.1', port: appPort }]);
for (let number = 0; number < others; number += 1) {
  const ip = (pod: number) => `10.${number >> 8}.${number & 255}.${pod + 1}`;
  const pods = Array.from({ length: podCount }, (_, pod) => ({ ip: ip(pod), port: 8012 }));
  await deploy(`other-${number}`, pods);
}
const informers = createInformerFactory(client, deps);
const starting = startActivator({
  ...deps,
  client,
  informers,
  host: '127.0.0.1',
  port,
  podName: 'activator-bench',
  autoscalerUrl: () => null,
  systemNamespace: 'knative-serving',
  clusterDomain: 'cluster.local',
  // The pods on paper answer nobody; what Kubernetes calls ready is taken as it is.
  ...(others > 0 ? { discovery: { meshMode: 'disabled' as const } } : {}),
});
await informers.start();
await starting;
