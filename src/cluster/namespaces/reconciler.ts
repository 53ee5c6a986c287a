// The namespaces that must exist: created when missing, and again when they disappear. Emptying a
// namespace that is being deleted is the API server's own work.

import { Namespace as NamespaceKind } from '../../api/kinds.ts';
import { SYSTEM_NAMESPACE } from '../../api/labels.ts';
import type { KubeObject } from '../../api/objects.ts';
import {
  type Informer,
  isAlreadyExists,
  type KubeClient,
  type ReconcileResult,
  type Reconciler,
} from '../../kube/types.ts';

export const REQUIRED_NAMESPACES: readonly string[] = ['default', 'kube-system', SYSTEM_NAMESPACE];

export interface NamespaceDeps {
  client: KubeClient;
  namespaces: Informer<KubeObject>;
}

export class NamespaceReconciler implements Reconciler {
  readonly #deps: NamespaceDeps;

  constructor(deps: NamespaceDeps) {
    this.#deps = deps;
  }

  /** Calls `enqueue` with the required names, now and whenever one of them is deleted. */
  watch(enqueue: (key: string) => void): void {
    for (const name of REQUIRED_NAMESPACES) enqueue(name);
    this.#deps.namespaces.onChange((current, previous) => {
      if (current === null && previous !== null) enqueue(previous.metadata.name);
    });
  }

  async reconcile(name: string): Promise<ReconcileResult | undefined> {
    const isMissing = this.#deps.namespaces.lister.getByKey(name) === undefined;
    if (!isMissing || !REQUIRED_NAMESPACES.includes(name)) return undefined;
    try {
      await this.#deps.client.create(NamespaceKind, requiredNamespace(name));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    return undefined;
  }
}

function requiredNamespace(name: string): KubeObject {
  const labels: Record<string, string> = { 'kubernetes.io/metadata.name': name };
  if (name === SYSTEM_NAMESPACE) labels['app.kubernetes.io/name'] = SYSTEM_NAMESPACE; // CP-510
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}
