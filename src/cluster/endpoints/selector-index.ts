// Which Services select a pod, without asking every Service: each is filed under one pair of its
// selector, and a pod looks only under the pairs it carries. Invariant: a Service is filed under
// exactly one pair while it has a selector, under none otherwise.

import type { CoreService, LabelMap, Pod } from '../../api/core.ts';
import { objectKey } from '../../api/objects.ts';

export class SelectorIndex {
  readonly #byPair = new Map<string, Map<string, LabelMap>>();
  readonly #pairOf = new Map<string, string>();

  set(service: CoreService): void {
    const key = objectKey(service);
    this.remove(key);
    const { selector } = service.spec;
    const first = Object.entries(selector ?? {})[0];
    if (selector === undefined || first === undefined) return;
    const pair = pairKey(service.metadata.namespace, first[0], first[1]);
    let filed = this.#byPair.get(pair);
    if (filed === undefined) {
      filed = new Map();
      this.#byPair.set(pair, filed);
    }
    filed.set(key, selector);
    this.#pairOf.set(key, pair);
  }

  remove(key: string): void {
    const pair = this.#pairOf.get(key);
    if (pair === undefined) return;
    this.#pairOf.delete(key);
    const filed = this.#byPair.get(pair);
    filed?.delete(key);
    if (filed?.size === 0) this.#byPair.delete(pair);
  }

  /** Calls `found` with the key of every Service whose selector the pod matches. */
  forPod(pod: Pod, found: (key: string) => void): void {
    const labels = pod.metadata.labels ?? {};
    for (const name in labels) {
      const filed = this.#byPair.get(pairKey(pod.metadata.namespace, name, labels[name]));
      if (filed === undefined) continue;
      for (const [key, selector] of filed) if (matchesLabels(selector, labels)) found(key);
    }
  }
}

export function matchesLabels(selector: LabelMap, labels: LabelMap | undefined): boolean {
  for (const name in selector) if (labels?.[name] !== selector[name]) return false;
  return true;
}

const pairKey = (namespace = '', name: string, value: string | undefined): string =>
  `${namespace}\n${name}\n${value}`;
