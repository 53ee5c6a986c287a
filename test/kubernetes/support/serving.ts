// Our controllers, our autoscaler and our admission against a real API server, in this process and wired as
// `up` wires them; and the parts of a cluster that are not there, played by hand: kubelet and gateway.

import type { Deployment, Endpoints, Pod } from '../../../src/api/core.ts';
import * as kinds from '../../../src/api/kinds.ts';
import { ACTIVATOR_SERVICE, CLUSTER_DOMAIN, SYSTEM_NAMESPACE } from '../../../src/api/labels.ts';
import type { Ingress } from '../../../src/api/networking.ts';
import type { CommonStatus, KubeObject } from '../../../src/api/objects.ts';
import { startAutoscaler } from '../../../src/autoscaler/start.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import { startController } from '../../../src/controller/start.ts';
import { createInformerFactory } from '../../../src/kube/informer.ts';
import { isAlreadyExists, type KubeClient } from '../../../src/kube/types.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';
import { createAdmission } from '../../../src/webhook/admit.ts';
import { startAdmission } from './admission-server.ts';

const deps = { clock: systemClock, logger: silentLogger, random: () => 0.5 };
const POD_IP = '10.1.2.3';

/** What becomes of the Service `hello`: kind, name, `Kind/name` of the owner (CP-530). */
export const CHILDREN_OF_HELLO: readonly (readonly [kinds.Kind, string, string])[] = [
  [kinds.Configuration, 'hello', 'Service/hello'],
  [kinds.Route, 'hello', 'Service/hello'],
  [kinds.Revision, 'hello-00001', 'Configuration/hello'],
  [kinds.Deployment, 'hello-00001-deployment', 'Revision/hello-00001'],
  [kinds.PodAutoscaler, 'hello-00001', 'Revision/hello-00001'],
  [kinds.Metric, 'hello-00001', 'PodAutoscaler/hello-00001'],
  [kinds.ServerlessService, 'hello-00001', 'PodAutoscaler/hello-00001'],
  [kinds.CoreService, 'hello-00001', 'ServerlessService/hello-00001'],
  [kinds.CoreService, 'hello-00001-private', 'ServerlessService/hello-00001'],
];

export interface Serving {
  /** Objects that passed our admission. */
  reviews(): number;
  stop(): Promise<void>;
}

export async function startServing(client: KubeClient): Promise<Serving> {
  await createActivatorService(client);
  const informers = createInformerFactory(client, deps);
  const names = { systemNamespace: SYSTEM_NAMESPACE, clusterDomain: CLUSTER_DOMAIN };
  const common = { client, informers, ...deps, ...names };
  const controller = startController(common);
  const plugin = createAdmission({ config: () => controller.config.current });
  const admission = await startAdmission(client, plugin);
  const autoscaler = await startAutoscaler({
    ...common,
    host: '127.0.0.1',
    port: 0,
    podName: 'autoscaler-test',
    resolveService: () => null,
    decisionThreads: 0,
  });
  return {
    reviews: () => admission.reviews(),
    async stop() {
      await Promise.all([autoscaler.stop(), controller.stop()]);
      await informers.stop();
      await admission.stop();
    },
  };
}

/** Without it there is nothing a sleeping Revision could point at (CP-518); it has no address yet. */
export async function createActivatorService(client: KubeClient): Promise<void> {
  const metadata = { namespace: SYSTEM_NAMESPACE, name: ACTIVATOR_SERVICE };
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
  const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata };
  await createUnlessThere(client, kinds.CoreService, service as KubeObject);
  await createUnlessThere(client, kinds.Endpoints, endpoints);
}

/** Test files share the server: another one may have made it. */
async function createUnlessThere(
  client: KubeClient,
  kind: kinds.Kind,
  object: KubeObject,
): Promise<void> {
  try {
    await client.create(kind, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

type WithStatus = KubeObject & { status?: CommonStatus };

/** As a kubelet and the Deployment and Endpoints controllers would, once a pod is ready. */
export async function runPod(
  client: KubeClient,
  namespace: string,
  revision: string,
): Promise<void> {
  const key = { namespace, name: `${revision}-deployment` };
  const deployment = await client.get<Deployment>(kinds.Deployment, key);
  const { metadata, spec } = deployment.spec.template;
  const name = `${revision}-pod`;
  await client.create<Pod>(kinds.Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name, namespace },
    spec: spec as Pod['spec'],
  });
  const ready = { type: 'Ready', status: 'True' };
  const podStatus = { phase: 'Running', podIP: POD_IP, conditions: [ready] };
  await patchStatus(client, kinds.Pod, namespace, name, podStatus);
  await client.patch<Endpoints>(
    kinds.Endpoints,
    { namespace, name: `${revision}-private` },
    { type: 'apply', fieldManager: 'endpoints', force: true, body: endpoints(revision, namespace) },
  );
  await patchStatus(client, kinds.Deployment, namespace, key.name, {
    replicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
    updatedReplicas: 1,
    observedGeneration: deployment.metadata.generation,
    conditions: [
      { type: 'Available', status: 'True' },
      { type: 'Progressing', status: 'True' },
    ],
  });
}

function endpoints(revision: string, namespace: string): object {
  const ports = [{ name: 'http', port: 8012 }];
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: `${revision}-private`, namespace },
    subsets: [{ addresses: [{ ip: POD_IP }], ports }],
  };
}

/** As a gateway would, once it serves the rules. */
export async function serveIngress(
  client: KubeClient,
  namespace: string,
  name: string,
): Promise<void> {
  const { metadata } = await client.get<Ingress>(kinds.Ingress, { namespace, name });
  const balancer = { ingress: [{ domainInternal: 'gateway.knative-serving.svc.cluster.local' }] };
  await patchStatus(client, kinds.Ingress, namespace, name, {
    observedGeneration: metadata.generation,
    publicLoadBalancer: balancer,
    privateLoadBalancer: balancer,
    conditions: ['LoadBalancerReady', 'NetworkConfigured', 'Ready'].map((type) => ({
      type,
      status: 'True',
    })),
  });
}

async function patchStatus(
  client: KubeClient,
  kind: kinds.Kind,
  namespace: string,
  name: string,
  status: object,
): Promise<void> {
  const patch = { type: 'merge' as const, body: { status } };
  await client.patch<WithStatus>(kind, { namespace, name }, patch, { subresource: 'status' });
}
