// A gateway without sockets: route table, backends and reconciler on an in-memory API, with fake
// exchanges for clients.

import type { CoreService, Endpoints } from '../../api/core.ts';
import {
  CoreService as CoreServiceKind,
  Endpoints as EndpointsKind,
  Ingress as IngressKind,
} from '../../api/kinds.ts';
import { INGRESS_CLASS } from '../../api/labels.ts';
import type { Ingress, IngressPath, IngressSpec, IngressSplit } from '../../api/networking.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import { FakeExchange } from '../../proxy/testing/fake-exchange.ts';
import type { Upstream } from '../../proxy/types.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { BackendRegistry, type UpstreamSource } from '../backends.ts';
import { GatewayHandler, type Visibility } from '../handler.ts';
import { IngressReconciler } from '../ingress-reconciler.ts';
import { RouteTable } from '../route-table.ts';

export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function split(serviceName: string, percent = 100): IngressSplit {
  return {
    serviceNamespace: 'default',
    serviceName,
    servicePort: 80,
    percent,
    appendHeaders: {
      'Knative-Serving-Namespace': 'default',
      'Knative-Serving-Revision': serviceName,
    },
  };
}

/** An external rule for one host. */
export function externalRule(host: string, ...paths: IngressPath[]) {
  return { hosts: [host], visibility: 'ExternalIP' as const, http: { paths } };
}

export function ingress(name: string, spec: IngressSpec): Ingress {
  return {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace: 'default',
      annotations: { 'networking.knative.dev/ingress.class': INGRESS_CLASS },
    },
    spec,
  };
}

class FakeUpstreams implements UpstreamSource {
  readonly forgotten: string[] = [];

  at(host: string, port: number): Upstream {
    return { host, port };
  }

  forget(upstream: Upstream): void {
    this.forgotten.push(`${upstream.host}:${upstream.port}`);
  }
}

export class GatewayHarness {
  readonly clock = new FakeClock();
  readonly client = new MemoryClient({ clock: this.clock });
  readonly upstreams = new FakeUpstreams();
  readonly table = new RouteTable();
  readonly random = seededRandom(20261121);
  readonly backends: BackendRegistry;
  readonly reconciler: IngressReconciler;
  readonly external: GatewayHandler;
  readonly local: GatewayHandler;
  isHealthy = true;
  /** Keys asked for again, oldest first. */
  readonly enqueued: string[] = [];
  readonly #informers = createInformerFactory(this.client, {
    clock: this.clock,
    logger: silentLogger,
    random: () => 0,
  });

  constructor() {
    const ingresses = this.#informers.informer<Ingress>(IngressKind);
    this.backends = new BackendRegistry({
      services: this.#informers.informer<CoreService>(CoreServiceKind),
      endpoints: this.#informers.informer<Endpoints>(EndpointsKind),
      upstreams: this.upstreams,
      onReady: (backend) => this.reconciler.onBackendReady(backend),
    });
    this.reconciler = new IngressReconciler({
      client: this.client,
      ingresses: ingresses.lister,
      table: this.table,
      backends: this.backends,
      clock: this.clock,
      logger: silentLogger,
      ingressClass: INGRESS_CLASS,
      clusterDomain: 'cluster.local',
      domains: { public: 'public.example', private: 'private.example' },
      enqueue: (key) => this.enqueued.push(key),
    });
    this.external = this.#handler('external');
    this.local = this.#handler('local');
  }

  async start(): Promise<this> {
    await this.#informers.start();
    this.backends.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.#informers.stop();
  }

  /** A Service with port `http` 80 and ready pods behind it; without pods Endpoints is empty. */
  async service(name: string, ...dests: string[]): Promise<void> {
    await this.client.create<CoreService>(CoreServiceKind, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { ports: [{ name: 'http', port: 80, targetPort: 8012 }] },
    });
    await this.client.create<Endpoints>(EndpointsKind, endpointsOf(name, dests));
    await this.settle();
  }

  async moveEndpoints(name: string, ...dests: string[]): Promise<void> {
    const current = await this.client.get<Endpoints>(EndpointsKind, { namespace: 'default', name });
    const { subsets } = endpointsOf(name, dests);
    await this.client.update<Endpoints>(EndpointsKind, { ...current, subsets: subsets ?? [] });
    await this.settle();
  }

  /** Creates or replaces an Ingress and reconciles it. */
  async apply(object: Ingress): Promise<Ingress> {
    const { namespace, name } = object.metadata;
    const key = { namespace, name };
    const current = await this.client.get<Ingress>(IngressKind, key).catch(() => undefined);
    if (current === undefined) await this.client.create(IngressKind, object);
    else
      await this.client.update(IngressKind, { ...current, ...object, metadata: current.metadata });
    return await this.reconcile(name);
  }

  async reconcile(name: string): Promise<Ingress> {
    await this.settle();
    await this.reconciler.reconcile(`default/${name}`);
    await this.settle();
    return await this.client.get<Ingress>(IngressKind, { namespace: 'default', name });
  }

  async remove(name: string): Promise<void> {
    await this.client.delete(IngressKind, { namespace: 'default', name });
    await this.settle();
    await this.reconciler.reconcile(`default/${name}`);
    await this.table.published();
  }

  get(host: string, target = '/', headers: Record<string, string> = {}): FakeExchange {
    return this.#request(this.external, host, target, headers);
  }

  getLocal(host: string, target = '/', headers: Record<string, string> = {}): FakeExchange {
    return this.#request(this.local, host, target, headers);
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  #handler(visibility: Visibility): GatewayHandler {
    return new GatewayHandler({
      table: this.table,
      visibility,
      random: this.random,
      clock: this.clock,
      isHealthy: () => this.isHealthy,
    });
  }

  #request(
    handler: GatewayHandler,
    host: string,
    target: string,
    headers: Record<string, string>,
  ): FakeExchange {
    const exchange = new FakeExchange(handler, { ...headers, host });
    exchange.target = target;
    return exchange.start();
  }
}

function endpointsOf(name: string, dests: string[]): Endpoints {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name, namespace: 'default' },
    subsets: dests.map((dest) => ({
      addresses: [{ ip: dest.split(':')[0] as string }],
      ports: [
        { name: 'http-istio', port: 1 },
        { name: 'http', port: Number(dest.split(':')[1]) },
      ],
    })),
  };
}
