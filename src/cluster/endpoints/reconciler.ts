// Keeps the Endpoints of every Service with a selector true (CP-518). The object exists from the
// Service on, empty until a pod has an address. On the path of a wake: one write when the pod gets
// its address, one when it is ready.
// Endpoints without a Service, or of one without a selector, belong to whoever wrote them.

import type { CoreService, Endpoints, Pod } from '../../api/core.ts';
import { Endpoints as EndpointsKind } from '../../api/kinds.ts';
import { controllerOf, controllerReference, objectKey } from '../../api/objects.ts';
import { deepEqual } from '../../kube/equal.ts';
import {
  type Informer,
  isNotFound,
  type KubeClient,
  type ReconcileResult,
  type Reconciler,
} from '../../kube/types.ts';
import { matchesLabels, SelectorIndex } from './selector-index.ts';
import { buildSubsets } from './subsets.ts';

export interface EndpointsDeps {
  client: KubeClient;
  services: Informer<CoreService>;
  pods: Informer<Pod>;
  endpoints: Informer<Endpoints>;
}

export class EndpointsReconciler implements Reconciler {
  readonly #deps: EndpointsDeps;
  readonly #selectors = new SelectorIndex();
  /** Our last write of each object until the cache has caught up; entries go with their Service. */
  readonly #written = new Map<string, Endpoints>();

  constructor(deps: EndpointsDeps) {
    this.#deps = deps;
  }

  /** Calls `enqueue` with the key of every Service something happened to. */
  watch(enqueue: (key: string) => void): void {
    const { services, pods, endpoints } = this.#deps;
    services.onChange((current, previous) => {
      if (current !== null) this.#selectors.set(current);
      else if (previous !== null) this.#selectors.remove(objectKey(previous));
      const service = current ?? previous;
      if (service !== null) enqueue(objectKey(service));
    });
    pods.onChange((current, previous) => {
      if (!hasAddress(current) && !hasAddress(previous)) return; // In nobody's Endpoints.
      if (previous !== null && !hasSameLabels(current, previous)) {
        this.#selectors.forPod(previous, enqueue);
      }
      if (current !== null) this.#selectors.forPod(current, enqueue);
    });
    endpoints.onChange((current, previous) => {
      const object = current ?? previous;
      if (object === null) return;
      if (current === null) this.#written.delete(objectKey(object));
      enqueue(objectKey(object));
    });
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const service = this.#deps.services.lister.getByKey(key);
    if (service === undefined) {
      this.#written.delete(key); // The Endpoints go by their owner reference.
      return undefined;
    }
    const { selector } = service.spec;
    const hasSelector = selector !== undefined && Object.keys(selector).length > 0;
    if (!hasSelector || service.metadata.deletionTimestamp !== undefined) return undefined;
    const pods = this.#selectedPods(service.metadata.namespace, selector);
    const existing = this.#newest(key);
    const desired = desiredEndpoints(service, pods, existing);
    if (existing === undefined) await this.#create(key, desired);
    else if (!isSame(existing, desired)) await this.#update(key, desired);
    return undefined;
  }

  #selectedPods(namespace: string | undefined, selector: Record<string, string>): Pod[] {
    const [name, value] = Object.entries(selector)[0] ?? ['', ''];
    return this.#deps.pods.lister
      .byLabel(name, value)
      .filter(
        (pod) =>
          pod.metadata.namespace === namespace && matchesLabels(selector, pod.metadata.labels),
      );
  }

  /** The cached object, or our own last write while the cache still shows an earlier one. */
  #newest(key: string): Endpoints | undefined {
    const cached = this.#deps.endpoints.lister.getByKey(key);
    const written = this.#written.get(key);
    if (written === undefined) return cached;
    const isCaughtUp = cached !== undefined && versionOf(cached) >= versionOf(written);
    if (!isCaughtUp) return written;
    this.#written.delete(key);
    return cached;
  }

  async #create(key: string, desired: Endpoints): Promise<void> {
    this.#written.set(key, await this.#deps.client.create(EndpointsKind, desired));
  }

  async #update(key: string, desired: Endpoints): Promise<void> {
    try {
      this.#written.set(key, await this.#deps.client.update(EndpointsKind, desired));
    } catch (error) {
      // Whatever we based this on is not what is stored: the next pass starts from the cache.
      this.#written.delete(key);
      if (!isNotFound(error)) throw error;
      await this.#create(key, withoutIdentity(desired));
    }
  }
}

const hasAddress = (pod: Pod | null): boolean => (pod?.status?.podIP ?? '') !== '';

function hasSameLabels(current: Pod | null, previous: Pod): boolean {
  return current !== null && deepEqual(current.metadata.labels, previous.metadata.labels);
}

const versionOf = (object: Endpoints): number => Number(object.metadata.resourceVersion);

/** Labels are the Service's; an owner that somebody else set is left alone (CP-482). */
export function desiredEndpoints(
  service: CoreService,
  pods: readonly Pod[],
  existing: Endpoints | undefined,
): Endpoints {
  const owner = existing === undefined ? undefined : controllerOf(existing);
  const isForeign = owner !== undefined && owner.uid !== service.metadata.uid;
  const isOldIncarnation = isForeign && owner.kind === 'Service' && owner.apiVersion === 'v1';
  const { name, namespace, labels } = service.metadata;
  const metadata = { ...(existing?.metadata ?? { name, namespace: namespace ?? 'default' }) };
  if (labels === undefined) delete metadata.labels;
  else metadata.labels = { ...labels };
  if (!isForeign || isOldIncarnation) metadata.ownerReferences = [controllerReference(service)];
  const subsets = buildSubsets(service, pods);
  return { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets };
}

function isSame(existing: Endpoints, desired: Endpoints): boolean {
  return (
    deepEqual(existing.subsets ?? [], desired.subsets) &&
    deepEqual(existing.metadata.labels ?? {}, desired.metadata.labels ?? {}) &&
    deepEqual(existing.metadata.ownerReferences, desired.metadata.ownerReferences)
  );
}

function withoutIdentity(endpoints: Endpoints): Endpoints {
  const { uid: _uid, resourceVersion: _version, ...metadata } = endpoints.metadata;
  return { ...endpoints, metadata };
}
