// The cluster controllers over the in-memory API, with a hand for what a node agent would do. Time
// stands still unless a test moves it.

import type { Deployment, Endpoints, Pod } from '../../api/core.ts';
import {
  Deployment as DeploymentKind,
  Endpoints as EndpointsKind,
  Pod as PodKind,
} from '../../api/kinds.ts';
import type { PodUsageSource } from '../../api/pod-usage.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import type { InformerFactory } from '../../kube/types.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { type Cluster, startCluster } from '../start.ts';

export const NAMESPACE = 'default';

export class ClusterHarness {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly client = new MemoryClient({ clock: this.clock });
  readonly informers: InformerFactory;
  readonly #cluster: Cluster;

  constructor(podUsage?: PodUsageSource) {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    const deps = { clock: this.clock, logger: silentLogger, random };
    this.informers = createInformerFactory(this.client, deps);
    this.#cluster = startCluster({
      client: this.client,
      informers: this.informers,
      ...deps,
      ...(podUsage === undefined ? {} : { podUsage }),
    });
  }

  async start(): Promise<void> {
    await this.informers.start();
    await this.settle();
  }

  async stop(): Promise<void> {
    await this.#cluster.stop();
    await this.informers.stop();
  }

  /** Runs until nothing has called the API for a while; back-offs need `advance`. */
  async settle(): Promise<void> {
    let calls = -1;
    for (let quiet = 0; quiet < 10; quiet += 1) {
      if (this.client.calls.length !== calls) quiet = 0;
      calls = this.client.calls.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  async pods(): Promise<Pod[]> {
    return (await this.client.list<Pod>(PodKind, { namespace: NAMESPACE })).items;
  }

  deployment(name = 'web'): Promise<Deployment> {
    return this.client.get<Deployment>(DeploymentKind, { namespace: NAMESPACE, name });
  }

  endpoints(name: string): Promise<Endpoints> {
    return this.client.get<Endpoints>(EndpointsKind, { namespace: NAMESPACE, name });
  }

  async createDeployment(spec: Partial<Deployment['spec']> = {}, name = 'web'): Promise<void> {
    await this.client.create<Deployment>(DeploymentKind, buildDeployment(spec, name));
    await this.settle();
  }

  async scale(replicas: number): Promise<void> {
    const body = [{ op: 'add', path: '/spec/replicas', value: replicas }];
    const key = { namespace: NAMESPACE, name: 'web' };
    await this.client.patch(DeploymentKind, key, { type: 'json', body }, { subresource: 'scale' });
    await this.settle();
  }

  async setImage(image: string): Promise<void> {
    const body = { spec: { template: { spec: { containers: [{ name: 'app', image }] } } } };
    const key = { namespace: NAMESPACE, name: 'web' };
    await this.client.patch(DeploymentKind, key, { type: 'merge', body });
    await this.settle();
  }

  /** What the node agent reports. */
  async report(pod: Pod, given: { ready?: boolean; ip?: string; phase?: 'Failed' }): Promise<void> {
    const { namespace, name } = pod.metadata;
    const ready = given.ready === true ? 'True' : 'False';
    const now = new Date(this.clock.nowMs()).toISOString();
    const status: Pod['status'] = {
      phase: given.phase ?? 'Running',
      podIP: given.ip ?? '127.0.0.1',
      conditions: [{ type: 'Ready', status: ready, lastTransitionTime: now }],
    };
    const patch = { type: 'merge', body: { status } } as const;
    await this.client.patch(PodKind, { namespace, name }, patch, { subresource: 'status' });
    await this.settle();
  }

  /** Every pod there is now; one that is replaced meanwhile is passed over. */
  async readyAll(): Promise<void> {
    for (const { metadata } of await this.pods()) {
      const pod = (await this.pods()).find((one) => one.metadata.uid === metadata.uid);
      if (pod !== undefined) await this.report(pod, { ready: true });
    }
  }
}

export function buildDeployment(spec: Partial<Deployment['spec']> = {}, name = 'web'): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: NAMESPACE, name },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
      template: {
        metadata: { labels: { app: name }, annotations: { note: 'kept' } },
        spec: { containers: [{ name: 'app', image: 'v1' }] },
      },
      ...spec,
    },
  };
}
