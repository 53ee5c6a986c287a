// One informer per kind and process, shared by whoever asks for it: controllers of the same process
// read one cache and cost the API server one watch. Invariants: asking twice for a kind gives the
// same informer; after `start` new ones start at once.

import { type Kind, resourceName } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { CachingInformer } from './caching-informer.ts';
import { Reflector, type ReflectorDeps } from './reflector.ts';
import type { Informer, InformerFactory, KubeClient } from './types.ts';

/** With a namespace: for roles that may read a kind only there (ACT-11). */
export function createInformerFactory(client: KubeClient, deps: InformerDeps): InformerFactory {
  return new SharedInformers(client, deps);
}

type InformerDeps = Omit<ReflectorDeps, 'client'>;

interface Shared {
  informer: CachingInformer<KubeObject>;
  reflector: Reflector<KubeObject>;
}

class SharedInformers implements InformerFactory {
  readonly #client: KubeClient;
  readonly #deps: InformerDeps;
  /** By resource name: bounded by the number of kinds. */
  readonly #shared = new Map<string, Shared>();
  #isStarted = false;

  constructor(client: KubeClient, deps: InformerDeps) {
    this.#client = client;
    this.#deps = deps;
  }

  informer<T extends KubeObject>(kind: Kind): Informer<T> {
    const name = resourceName(kind);
    let shared = this.#shared.get(name);
    if (shared === undefined) {
      const informer = new CachingInformer<KubeObject>(kind, this.#deps.logger);
      const deps = { client: this.#client, ...this.#deps };
      shared = { informer, reflector: new Reflector(kind, informer, deps) };
      this.#shared.set(name, shared);
      if (this.#isStarted) shared.reflector.start();
    }
    // One kind has one object type; the caller names it.
    return shared.informer as unknown as Informer<T>;
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    for (const { reflector } of this.#shared.values()) reflector.start();
    await Promise.all([...this.#shared.values()].map(({ informer }) => informer.whenSynced()));
  }

  async stop(): Promise<void> {
    for (const { reflector } of this.#shared.values()) reflector.stop();
  }
}
