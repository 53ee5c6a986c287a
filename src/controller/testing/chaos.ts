// A hostile world for the controllers: calls that fail or conflict, watches that break, objects that
// vanish or are damaged, users who change their minds. All of it drawn from one seed, so that a
// failure can be replayed. When it calms down, the end state must be as if nothing had happened.

import type { PodAutoscaler } from '../../api/autoscaling.ts';
import * as kinds from '../../api/kinds.ts';
import type { CommonStatus, KubeObject } from '../../api/objects.ts';
import type { KnativeService } from '../../api/serving.ts';
import { conflict, failure } from '../../kube/testing/failures.ts';
import type { ClientCall } from '../../kube/testing/memory-client.ts';
import { seededRandom } from './random.ts';
import { ControllerWorld, NAMESPACE, template } from './world.ts';

type WithStatus = KubeObject & { status?: CommonStatus };

/** What controllers make; each may be deleted under their hands. */
const CHILDREN = [
  kinds.Configuration,
  kinds.Route,
  kinds.Revision,
  kinds.Deployment,
  kinds.PodAutoscaler,
  kinds.Ingress,
  kinds.CoreService,
] as const;
const SERVICES = ['a', 'b', 'c'];
const READY = [
  { type: 'Active', status: 'True' },
  { type: 'LoadBalancerReady', status: 'True' },
  { type: 'NetworkConfigured', status: 'True' },
  { type: 'Ready', status: 'True' },
  { type: 'SKSReady', status: 'True' },
  { type: 'ScaleTargetInitialized', status: 'True' },
];
/** Longer than any back-off of a work queue. */
const CALM_MS = 1_100_000;

export class Chaos {
  readonly world = new ControllerWorld();
  /** What each Service was last asked to be: its image; absent = deleted. */
  readonly wanted = new Map<string, string>();
  readonly #random: () => number;
  #images = 0;
  #isHostile = false;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.world.client.intercept = (call) => this.#interfere(call);
    this.#loseAnswers();
  }

  async start(): Promise<void> {
    await this.world.start();
    await this.#addBadObjects();
  }

  /** One thing that somebody does, and a while in which the controllers work in bad weather. */
  async step(): Promise<void> {
    const deed = this.#pick([
      () => this.#changeService(),
      () => this.#changeService(),
      () => this.#deleteService(),
      () => this.#deleteChild(),
      () => this.#deleteChild(),
      async () => this.world.client.breakWatches(this.#pick([undefined, new Error('reset')])),
      () => this.#playOthers(),
      () => this.#playOthers(),
    ]);
    await deed();
    await this.#collectGarbage();
    this.#isHostile = true;
    await this.#run(10 + Math.floor(this.#random() * 40));
    this.#isHostile = false;
  }

  /** Good weather until nothing moves any more. */
  async calm(): Promise<void> {
    for (let round = 0; round < 6; round += 1) {
      await this.#collectGarbage();
      await this.#playOthers();
      await this.#run(200);
      this.world.clock.advance(CALM_MS);
      await this.#run(200);
    }
  }

  async #run(turns: number): Promise<void> {
    for (let turn = 0; turn < turns; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.world.clock.advance(20);
    }
  }

  /** Some creations succeed without their caller hearing of it. */
  #loseAnswers(): void {
    const { client } = this.world;
    const create = client.create.bind(client);
    client.create = async (kind, object) => {
      const created = await create(kind, object);
      if (this.#isHostile && this.#random() < 0.1) throw new Error('socket hang up');
      return created;
    };
  }

  /** A call of a controller fails before it does anything. */
  #interfere({ verb, kind, key }: ClientCall): void {
    if (!this.#isHostile) return;
    const name = key.slice(key.indexOf('/') + 1);
    const luck = this.#random();
    if (luck < 0.08) throw failure(500, 'InternalError', 'etcd is having a bad day');
    if (luck < 0.12) throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    if (luck < 0.24 && (verb === 'update' || verb === 'patch')) throw conflict(kind, name);
    if (luck < 0.26) this.world.client.breakWatches();
  }

  async #changeService(): Promise<void> {
    const name = this.#pick(SERVICES);
    this.#images += 1;
    const image = `image-${this.#images}`;
    const { client } = this.world;
    if (!this.wanted.has(name)) {
      const live = await this.#find(kinds.KnativeService, name);
      if (live !== null) return; // Still on its way out.
      await client.create<KnativeService>(kinds.KnativeService, {
        apiVersion: 'serving.knative.dev/v1',
        kind: 'Service',
        metadata: { name, namespace: NAMESPACE },
        spec: { template: template(image), traffic: [{ latestRevision: true, percent: 100 }] },
      });
    } else {
      const spec = { template: template(image) };
      const patch = { type: 'merge', body: { spec } } as const;
      await client.patch(kinds.KnativeService, { namespace: NAMESPACE, name }, patch);
    }
    this.wanted.set(name, image);
  }

  async #deleteService(): Promise<void> {
    const name = this.#pick(SERVICES);
    if (!this.wanted.delete(name)) return;
    await this.world.client.delete(kinds.KnativeService, { namespace: NAMESPACE, name });
  }

  async #deleteChild(): Promise<void> {
    const kind = this.#pick(CHILDREN);
    const names = await this.world.names(kind);
    if (names.length === 0) return;
    const name = this.#pick(names);
    if (name.startsWith('bad')) return;
    await this.world.client.delete(kind, { namespace: NAMESPACE, name });
  }

  /** Autoscaler, cluster and gateway do their part for whatever is there. */
  async #playOthers(): Promise<void> {
    const balancer = { ingress: [{ domainInternal: 'gateway.knative-serving.svc.cluster.local' }] };
    for (const name of await this.world.names(kinds.PodAutoscaler)) {
      const status = {
        serviceName: name,
        metricsServiceName: 'm',
        actualScale: 1,
        desiredScale: 1,
      };
      await this.#setStatus<PodAutoscaler>(kinds.PodAutoscaler, name, status);
    }
    for (const name of await this.world.names(kinds.Ingress)) {
      const status = { publicLoadBalancer: balancer, privateLoadBalancer: balancer };
      await this.#setStatus(kinds.Ingress, name, status);
    }
  }

  async #setStatus<T extends WithStatus>(
    kind: kinds.Kind,
    name: string,
    status: object,
  ): Promise<void> {
    const object = await this.#find<T>(kind, name);
    if (object === null) return;
    const observedGeneration = object.metadata.generation;
    const body = { status: { ...status, observedGeneration, conditions: READY } };
    const key = { namespace: NAMESPACE, name };
    await this.world.client.patch(kind, key, { type: 'merge', body }, { subresource: 'status' });
  }

  /** As the cluster does: what belongs to nobody any more goes. */
  async #collectGarbage(): Promise<void> {
    const { client } = this.world;
    const lists = [kinds.KnativeService, ...CHILDREN, kinds.Endpoints, kinds.Certificate];
    for (let round = 0; round < lists.length; round += 1) {
      const found = await Promise.all(
        lists.map(async (kind) => (await client.list(kind, { namespace: NAMESPACE })).items),
      );
      const uids = new Set(found.flat().map(({ metadata }) => metadata.uid));
      let deleted = 0;
      for (const [index, items] of found.entries()) {
        for (const { metadata } of items) {
          const owners = metadata.ownerReferences ?? [];
          if (owners.length === 0 || owners.some(({ uid }) => uids.has(uid))) continue;
          if (metadata.deletionTimestamp !== undefined) continue;
          await client.delete(lists[index]!, { namespace: NAMESPACE, name: metadata.name });
          deleted += 1;
        }
      }
      if (deleted === 0) return;
    }
  }

  /** Half-written by hand, or by a version nobody remembers: they must not stop the others. */
  async #addBadObjects(): Promise<void> {
    const bad = (kind: kinds.Kind, rest: object): Promise<unknown> =>
      this.world.client.create(kind, {
        apiVersion: kinds.apiVersionOf(kind),
        kind: kind.kind,
        metadata: { name: `bad-${kind.plural}`, namespace: NAMESPACE },
        ...rest,
      } as KubeObject);
    await bad(kinds.KnativeService, { spec: {} });
    await bad(kinds.Configuration, {});
    await bad(kinds.Route, { spec: { traffic: [{ percent: 3 }, { revisionName: 'none' }] } });
    await bad(kinds.Revision, { spec: {} });
    await bad(kinds.Ingress, {});
    await bad(kinds.ServerlessService, { spec: { mode: 'Proxy' } });
    await bad(kinds.DomainMapping, { spec: {} });
    await bad(kinds.Certificate, {});
  }

  async #find<T extends KubeObject>(kind: kinds.Kind, name: string): Promise<T | null> {
    return this.world.get<T>(kind, name).catch(() => null);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }
}
