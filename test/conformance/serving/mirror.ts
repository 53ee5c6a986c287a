// What one resource's objects are now, followed by one watch, so that a hundred rows can wait for
// conditions at once without asking again and again. A check is tried on the state there is and on
// every change; an assertion that fails means "not yet" until the limit, where it is the answer.

import type { ApiClient } from './api-client.ts';
import { type AnyObject, pathOf } from './resources.ts';

/** On the bookmark behind what there was. */
const ALL_TOLD = 'k8s.io/initial-events-end';

interface Event {
  type: string;
  object: AnyObject;
}

export class Mirror {
  readonly #api: ApiClient;
  readonly #resource: string;
  readonly #objects = new Map<string, AnyObject>();
  readonly #waiting = new Set<() => void>();
  #isClosed = false;
  /** Everything there was when the watch began has been told; before, absence means nothing. */
  #isComplete = false;

  constructor(api: ApiClient, resource: string) {
    this.#api = api;
    this.#resource = resource;
    void this.#follow();
  }

  /** Resolves with what `check` returns, as soon as it does not throw. */
  until<T>(
    what: string,
    timeoutMs: number,
    check: (objects: ReadonlyMap<string, AnyObject>) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let failure: unknown;
      const attempt = (): void => {
        if (!this.#isComplete) return;
        let result: T;
        try {
          result = check(this.#objects);
        } catch (error) {
          failure = error;
          return;
        }
        this.#waiting.delete(attempt);
        clearTimeout(limit);
        resolve(result);
      };
      const limit = setTimeout(() => {
        this.#waiting.delete(attempt);
        reject(new Error(`waited ${timeoutMs} ms for ${what}: ${failure}`, { cause: failure }));
      }, timeoutMs);
      this.#waiting.add(attempt);
      attempt();
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      this.#objects.clear();
      this.#isComplete = false;
      try {
        // KN-159: what there is, a bookmark, then what happens.
        const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
        const path = `${pathOf(this.#resource, null)}?${query}&allowWatchBookmarks=true`;
        for await (const event of this.#api.watch(path)) this.#apply(event as Event);
      } catch {
        // A server that restarts, or the end of the test: ask again unless closed.
      }
    }
  }

  #apply({ type, object }: Event): void {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    if (type === 'BOOKMARK')
      this.#isComplete ||= object.metadata.annotations?.[ALL_TOLD] === 'true';
    else if (type === 'DELETED') this.#objects.delete(key);
    else this.#objects.set(key, object);
    for (const attempt of [...this.#waiting]) attempt();
  }
}

export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
