// The namespaces that must exist, and the end of those being deleted (KN-205): their content goes
// first, everything at once, then the namespace's own finalizer. Content is listed from the server,
// not from caches, because a namespace finished too early would leave objects nobody can reach.

import { ALL_KINDS, type Kind, Namespace as NamespaceKind, resourcePath } from '../../api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../../api/labels.ts';
import type { KubeObject } from '../../api/objects.ts';
import {
  type Informer,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeClient,
  type ReconcileResult,
  type Reconciler,
} from '../../kube/types.ts';

export const REQUIRED_NAMESPACES: readonly string[] = ['default', 'kube-system', SYSTEM_NAMESPACE];
/** How often a namespace that still has content (pods ending gracefully) is looked at again. */
const CONTENT_POLL_MS = 250;
/** Objects of one kind deleted in one pass; the rest follows in the next. */
const MAX_DELETES_PER_PASS = 500;

export interface NamespaceObject extends KubeObject {
  spec?: { finalizers?: string[] };
  status?: { phase?: string };
}

export interface NamespaceDeps {
  client: KubeClient;
  namespaces: Informer<NamespaceObject>;
}

export class NamespaceReconciler implements Reconciler {
  readonly #deps: NamespaceDeps;

  constructor(deps: NamespaceDeps) {
    this.#deps = deps;
  }

  /** Calls `enqueue` with the name of every namespace something happened to, and of those required. */
  watch(enqueue: (key: string) => void): void {
    for (const name of REQUIRED_NAMESPACES) enqueue(name);
    this.#deps.namespaces.onChange((current, previous) => {
      const namespace = current ?? previous;
      if (namespace !== null) enqueue(namespace.metadata.name);
    });
  }

  async reconcile(name: string): Promise<ReconcileResult | undefined> {
    const namespace = this.#deps.namespaces.lister.getByKey(name);
    if (namespace === undefined) {
      if (REQUIRED_NAMESPACES.includes(name)) await this.#create(name);
      return undefined;
    }
    if (namespace.metadata.deletionTimestamp === undefined) return undefined;
    if (await this.#deleteContent(name)) return { requeueAfterMs: CONTENT_POLL_MS };
    await this.#finalize(namespace);
    return undefined;
  }

  async #create(name: string): Promise<void> {
    try {
      await this.#deps.client.create(NamespaceKind, requiredNamespace(name));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  /** True while there was anything. */
  async #deleteContent(namespace: string): Promise<boolean> {
    const kinds = ALL_KINDS.filter((kind) => kind.namespaced);
    const found = await Promise.all(kinds.map((kind) => this.#deleteAll(kind, namespace)));
    return found.includes(true);
  }

  async #deleteAll(kind: Kind, namespace: string): Promise<boolean> {
    const { client } = this.#deps;
    const { items } = await client.list(kind, { namespace, limit: MAX_DELETES_PER_PASS });
    const deletions = items.map(async ({ metadata }) => {
      if (metadata.deletionTimestamp !== undefined) return;
      const { name, uid } = metadata;
      try {
        await client.delete(kind, { namespace, name }, uid === undefined ? {} : { uid });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    });
    await Promise.all(deletions);
    return items.length > 0;
  }

  async #finalize(namespace: NamespaceObject): Promise<void> {
    const path = resourcePath(NamespaceKind, undefined, namespace.metadata.name, 'finalize');
    const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== 'kubernetes');
    const body = { ...namespace, spec: { ...namespace.spec, finalizers } };
    try {
      const response = await this.#deps.client.request('PUT', path, { body });
      response.body.resume(); // Frees the connection; the answer says nothing new.
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function requiredNamespace(name: string): NamespaceObject {
  const labels: Record<string, string> = { 'kubernetes.io/metadata.name': name };
  if (name === SYSTEM_NAMESPACE) labels['app.kubernetes.io/name'] = SYSTEM_NAMESPACE;
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}
