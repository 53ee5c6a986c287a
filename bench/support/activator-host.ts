// A process with one activator in it, for the bench: the API it reads is in memory and holds a
// single revision with one pod, the app. Arguments: port to listen on, port of the app,
// containerConcurrency.

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

const [port = 0, appPort = 0, containerConcurrency = 0] = process.argv.slice(2).map(Number);
const client = new MemoryClient({ clock: systemClock });
const deps = { clock: systemClock, logger: silentLogger, random: Math.random };

await client.create<Revision>(RevisionKind, {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Revision',
  metadata: { namespace: 'default', name: 'hello-00001' },
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
    name: 'hello-00001-private',
    labels: {
      [REVISION_LABEL]: 'hello-00001',
      [REVISION_UID_LABEL]: 'bench',
      [SERVICE_TYPE_LABEL]: SERVICE_TYPE_PRIVATE,
    },
  },
  subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: 'http', port: appPort }] }],
});
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
});
await informers.start();
await starting;
