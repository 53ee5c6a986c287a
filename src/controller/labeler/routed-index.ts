// Which Revisions and Configurations say of themselves that a Route uses them, by Route: a deleted
// or moved Route is taken off exactly those, instead of every object being looked at. Kept from
// informer events. Invariant: holds the names of exactly the cached objects whose annotation lists
// the Route.

import { joinKey, type KubeObject } from '../../api/objects.ts';
import { routesOf } from './plan.ts';

export class RoutedIndex {
  /** Route key, then names of objects in its namespace; no empty entries. */
  readonly #byRoute = new Map<string, Set<string>>();

  /** To be called with every change of the kind, as informers do. */
  readonly update = (current: KubeObject | null, previous: KubeObject | null): void => {
    const before = previous === null ? [] : routesOf(previous);
    const after = current === null ? [] : routesOf(current);
    for (const route of before) if (!after.includes(route)) this.#remove(route, previous!);
    for (const route of after) if (!before.includes(route)) this.#add(route, current!);
  };

  /** Names of the objects that list the Route. */
  namesOf(namespace: string | undefined, route: string): string[] {
    return [...(this.#byRoute.get(joinKey(namespace, route)) ?? [])];
  }

  #add(route: string, { metadata }: KubeObject): void {
    const key = joinKey(metadata.namespace, route);
    const names = this.#byRoute.get(key);
    if (names === undefined) this.#byRoute.set(key, new Set([metadata.name]));
    else names.add(metadata.name);
  }

  #remove(route: string, { metadata }: KubeObject): void {
    const key = joinKey(metadata.namespace, route);
    const names = this.#byRoute.get(key);
    names?.delete(metadata.name);
    if (names?.size === 0) this.#byRoute.delete(key);
  }
}
