// Remembers what each Revision's Deployment hashes to (CP-221), because making a Deployment just to
// see that nothing changed costs a millisecond, and Revisions are looked at several times during a
// wake from zero. Holds a hash and references into the informer's cache, one entry per Revision,
// dropped with it.

import type { ServingConfig } from '../../api/config/registry.ts';
import { DEPLOYMENT_HASH_LABEL } from '../../api/labels.ts';
import type { Revision } from '../../api/serving.ts';
import { deepEqual } from '../../kube/equal.ts';
import { makeDeployment } from './resources/deployment.ts';

interface Entry {
  inputs: readonly unknown[];
  /** Replaced as a whole on every change, so identity tells. */
  config: ServingConfig;
  hash: string;
}

export class DeploymentHashes {
  readonly #systemNamespace: string;
  readonly #entries = new Map<string, Entry>();

  constructor(systemNamespace: string) {
    this.#systemNamespace = systemNamespace;
  }

  /** `key` is the Revision's `namespace/name`. */
  hashOf(key: string, revision: Revision, config: ServingConfig): string {
    const inputs = inputsOf(revision);
    const known = this.#entries.get(key);
    if (known?.config === config && deepEqual(known.inputs, inputs)) {
      known.inputs = inputs; // Lets go of the older copy of the object.
      return known.hash;
    }
    const deployment = makeDeployment(revision, config, this.#systemNamespace);
    const hash = deployment.metadata.labels?.[DEPLOYMENT_HASH_LABEL] ?? '';
    this.#entries.set(key, { inputs, config, hash });
    return hash;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}

/** Everything of a Revision that its Deployment is made from. */
function inputsOf({ metadata, spec, status }: Revision): readonly unknown[] {
  const { uid, labels, annotations, ownerReferences } = metadata;
  return [uid, labels, annotations, ownerReferences, spec, status?.containerStatuses];
}
