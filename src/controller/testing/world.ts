// All controllers of this role against an in-memory API, with the other roles played by hand: a
// test says what the autoscaler, the cluster and the gateway do and reads what the user would see.

import type { PodAutoscaler } from '../../api/autoscaling.ts';
import type { ConfigMap, Endpoints } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { ACTIVATOR_SERVICE } from '../../api/labels.ts';
import type { Ingress, ServerlessService } from '../../api/networking.ts';
import type { CommonStatus, Condition, KubeObject } from '../../api/objects.ts';
import type { KnativeService, RevisionTemplate, TrafficTarget } from '../../api/serving.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import type { DigestResolver } from '../revision/digest/queue.ts';
import { type ControllerRole, type ControllerRoleOptions, startController } from '../start.ts';
import { seededRandom } from './random.ts';

export const NAMESPACE = 'default';
/** Turns of the event loop after which nothing more can be under way. */
const MAX_TURNS = 400;
const QUIET_TURNS = 12;

type WithStatus = KubeObject & { status?: CommonStatus };

export interface WorldOptions extends Pick<ControllerRoleOptions, 'hasImageCaches' | 'leadership'> {
  digests?: (deps: { client: MemoryClient; clock: FakeClock }) => DigestResolver;
}

export class ControllerWorld {
  readonly clock = new FakeClock();
  readonly client = new MemoryClient({ clock: this.clock });
  readonly random = seededRandom(7);
  readonly informers = createInformerFactory(this.client, {
    clock: this.clock,
    logger: silentLogger,
    random: this.random,
  });
  readonly role: ControllerRole;

  constructor(options: WorldOptions = {}) {
    const { digests, ...others } = options;
    this.role = startController({
      ...others,
      ...(digests === undefined ? {} : { digests: digests(this) }),
      client: this.client,
      informers: this.informers,
      clock: this.clock,
      logger: silentLogger,
      random: this.random,
      systemNamespace: 'knative-serving',
      clusterDomain: 'cluster.local',
    });
  }

  async start(): Promise<void> {
    await this.setConfig('config-domain', { 'example.com': '' });
    await this.client.create<Endpoints>(kinds.Endpoints, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: ACTIVATOR_SERVICE, namespace: 'knative-serving' },
      subsets: [{ addresses: [{ ip: '127.0.0.9' }], ports: [{ name: 'http', port: 8012 }] }],
    });
    void this.informers.start();
    await this.settle();
  }

  async stop(): Promise<void> {
    await this.role.stop();
    await this.informers.stop();
    this.client.close();
  }

  /** Until no call was made for a while; short retries are let through. */
  async settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn += 1) {
      const before = this.client.calls.length;
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.clock.advance(20);
      quiet = this.client.calls.length === before ? quiet + 1 : 0;
    }
    if (quiet < QUIET_TURNS) throw new Error('the controllers do not come to rest');
  }

  async get<T extends KubeObject>(kind: kinds.Kind, name: string): Promise<T> {
    return this.client.get<T>(kind, { namespace: NAMESPACE, name });
  }

  async names(kind: kinds.Kind): Promise<string[]> {
    const { items } = await this.client.list(kind, { namespace: NAMESPACE });
    return items.map(({ metadata }) => metadata.name);
  }

  async condition(kind: kinds.Kind, name: string, type: string): Promise<string> {
    const object = await this.get<WithStatus>(kind, name);
    return brief(object.status?.conditions?.find((condition) => condition.type === type));
  }

  async setConfig(name: string, data: Record<string, string>): Promise<void> {
    const map: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'knative-serving' },
      data,
    };
    await this.client.create(kinds.ConfigMap, map);
  }

  async createService(
    name: string,
    template: RevisionTemplate,
    traffic: TrafficTarget[] = [{ latestRevision: true, percent: 100 }],
  ): Promise<void> {
    await this.client.create<KnativeService>(kinds.KnativeService, {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      metadata: { name, namespace: NAMESPACE, annotations: {} },
      spec: { template, traffic },
    });
    await this.settle();
  }

  async changeService(name: string, change: (service: KnativeService) => void): Promise<void> {
    const service = await this.get<KnativeService>(kinds.KnativeService, name);
    change(service);
    await this.client.update(kinds.KnativeService, service);
    await this.settle();
  }

  /** Replaces a status and marks it as seen for the current generation. */
  async setStatus<T extends WithStatus>(
    kind: kinds.Kind,
    name: string,
    status: object,
  ): Promise<void> {
    const object = await this.get<T>(kind, name);
    const observedGeneration = object.metadata.generation;
    await this.client.updateStatus(kind, { ...object, status: { observedGeneration, ...status } });
    await this.settle();
  }

  /** The autoscaler: first pod ready, initial scale reached. */
  async reachInitialScale(revision: string, scale = 1): Promise<void> {
    await this.setStatus<PodAutoscaler>(kinds.PodAutoscaler, revision, {
      serviceName: revision,
      metricsServiceName: `${revision}-private`,
      desiredScale: scale,
      actualScale: scale,
      conditions: [
        { type: 'Active', status: 'True' },
        { type: 'Ready', status: 'True' },
        { type: 'SKSReady', status: 'True' },
        { type: 'ScaleTargetInitialized', status: 'True' },
      ],
    });
  }

  /** The gateway: the Ingress is served. */
  async serveIngress(route: string): Promise<void> {
    const balancer = { ingress: [{ domainInternal: 'gateway.knative-serving.svc.cluster.local' }] };
    await this.setStatus<Ingress>(kinds.Ingress, route, {
      publicLoadBalancer: balancer,
      privateLoadBalancer: balancer,
      conditions: [
        { type: 'LoadBalancerReady', status: 'True' },
        { type: 'NetworkConfigured', status: 'True' },
        { type: 'Ready', status: 'True' },
      ],
    });
  }

  /** The autoscaler's other object. */
  async createSks(revision: string, mode: 'Serve' | 'Proxy' = 'Proxy'): Promise<void> {
    await this.client.create<ServerlessService>(kinds.ServerlessService, {
      apiVersion: 'networking.internal.knative.dev/v1alpha1',
      kind: 'ServerlessService',
      metadata: { name: revision, namespace: NAMESPACE },
      spec: {
        mode,
        objectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `${revision}-deployment` },
        protocolType: 'http1',
      },
    });
    await this.settle();
  }
}

/** `True`, or `Unknown Reason: message`. */
export function brief(condition: Condition | undefined): string {
  if (condition === undefined) return '-';
  const { status, reason, message } = condition;
  const text = reason === undefined ? status : `${status} ${reason}`;
  return message === undefined ? text : `${text}: ${message}`;
}

export function template(image = 'hello', name?: string): RevisionTemplate {
  return {
    ...(name === undefined ? {} : { metadata: { name } }),
    spec: { containers: [{ name: 'user-container', image }] },
  };
}
