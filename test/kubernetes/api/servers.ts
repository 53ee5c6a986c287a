// The two servers of the script: ours in this process, with the collector that acts on owners; the real
// one with our kinds installed. Both get the same empty namespace.

import { ALL_KINDS, Event, Namespace } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/objects.ts';
import { startTestServer } from '../../../src/apiserver/testing/harness.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import { CollectorReconciler } from '../../../src/cluster/collector/reconciler.ts';
import { createKubeClient } from '../../../src/kube/client.ts';
import type { KubeConnection } from '../../../src/kube/connection.ts';
import { Controller } from '../../../src/kube/controller.ts';
import { createInformerFactory } from '../../../src/kube/informer.ts';
import { loadKubeconfig } from '../../../src/kube/kubeconfig.ts';
import type { KubeClient } from '../../../src/kube/types.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { installKinds } from '../support/crds.ts';
import { Caller } from './caller.ts';

const deps = { clock: systemClock, logger: silentLogger, random: () => 0.5 };

export interface ScriptServer {
  caller: Caller;
  stop(): Promise<void>;
}

export async function openOurs(namespace: string): Promise<ScriptServer> {
  const server = await startTestServer();
  const connection = { server: server.url, caPem: server.caPem, token: server.token };
  const client = clientOf(connection);
  await client.create(Namespace, namespaceObject(namespace));
  const informers = createInformerFactory(client, deps);
  const collected = ALL_KINDS.filter((kind) => kind !== Event).map((kind) =>
    informers.informer<KubeObject>(kind),
  );
  const reconciler = new CollectorReconciler({
    client,
    informers: collected,
    logger: silentLogger,
  });
  const collector = new Controller({ name: 'garbage collection', reconciler, ...deps });
  reconciler.watch((key) => collector.enqueue(key));
  await informers.start();
  collector.start();
  const caller = new Caller(connection, namespace);
  return {
    caller,
    async stop() {
      caller.close();
      await collector.stop();
      await informers.stop();
      client.close();
      await server.stop();
    },
  };
}

export async function openTheirs(kubeconfig: string, namespace: string): Promise<ScriptServer> {
  const connection = await loadKubeconfig(kubeconfig);
  const client = clientOf(connection);
  await installKinds(client);
  await client.create(Namespace, namespaceObject(namespace));
  const caller = new Caller(connection, namespace);
  return {
    caller,
    async stop() {
      caller.close();
      await client.delete(Namespace, { name: namespace });
      client.close();
    },
  };
}

const clientOf = (connection: KubeConnection): KubeClient =>
  createKubeClient({ ...connection, ...deps, userAgent: 'script-setup/1' });

const namespaceObject = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
});
