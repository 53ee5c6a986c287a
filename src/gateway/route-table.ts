// The routes all accepted Ingresses add up to, as immutable snapshots (ING-81): a request sees the
// table before a change or after it, never between. Changes of one turn of the event loop make one
// snapshot. A host belongs to the Ingress that was accepted with it first (ING-23).
// Invariant: every host of the snapshot is owned by exactly one active configuration.

import { normalizeHost } from './hosts.ts';
import type { Route } from './routes.ts';
import type { IngressConfig } from './translate.ts';

/** Spellings of hosts (ports, capitals) remembered per snapshot; at the limit all are forgotten. */
const MAX_CACHED_SPELLINGS = 1024;

type Hosts = ReadonlyMap<string, readonly Route[]>;

/** Routes by host, as one listener serves them. */
export class HostTable {
  readonly #hosts: Hosts;
  readonly #spellings = new Map<string, readonly Route[]>();

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** Hot. `host` as the client wrote it. */
  find(host: string): readonly Route[] | null {
    const known = this.#hosts.get(host) ?? this.#spellings.get(host);
    if (known !== undefined) return known;
    const routes = this.#hosts.get(normalizeHost(host));
    if (routes === undefined) return null;
    if (this.#spellings.size >= MAX_CACHED_SPELLINGS) this.#spellings.clear();
    this.#spellings.set(host, routes);
    return routes;
  }
}

export interface Snapshot {
  readonly external: HostTable;
  readonly local: HostTable;
}

const EMPTY: Snapshot = {
  external: new HostTable(new Map()),
  local: new HostTable(new Map()),
};

export class RouteTable {
  /** What requests are served by now. */
  snapshot: Snapshot = EMPTY;
  readonly #active = new Map<string, IngressConfig>();
  /** Host -> key of the Ingress that owns it. */
  readonly #owners = new Map<string, string>();
  readonly #external = new Map<string, readonly Route[]>();
  readonly #local = new Map<string, readonly Route[]>();
  #publishing: Promise<void> | null = null;

  get(key: string): IngressConfig | undefined {
    return this.#active.get(key);
  }

  /**
   * Accepts a configuration in place of the Ingress' previous one, unless another Ingress owns one
   * of its hosts: then nothing changes and that host is returned (ING-44). Served once `published`
   * resolves.
   */
  accept(config: IngressConfig): string | null {
    for (const host of config.local.keys()) {
      const owner = this.#owners.get(host);
      if (owner !== undefined && owner !== config.key) return host;
    }
    const previous = this.#active.get(config.key);
    if (previous !== undefined) this.#take(previous);
    this.#active.set(config.key, config);
    for (const [host, routes] of config.local) {
      this.#owners.set(host, config.key);
      this.#local.set(host, routes);
    }
    for (const [host, routes] of config.external) this.#external.set(host, routes);
    this.#schedule();
    return null;
  }

  /** Stops serving an Ingress; undefined when it was not served. */
  remove(key: string): IngressConfig | undefined {
    const config = this.#active.get(key);
    if (config === undefined) return undefined;
    this.#active.delete(key);
    this.#take(config);
    this.#schedule();
    return config;
  }

  /** Resolves when everything accepted so far is in the snapshot. */
  published(): Promise<void> {
    return this.#publishing ?? Promise.resolve();
  }

  #take(config: IngressConfig): void {
    for (const host of config.local.keys()) {
      this.#owners.delete(host);
      this.#local.delete(host);
      this.#external.delete(host);
    }
  }

  #schedule(): void {
    this.#publishing ??= Promise.resolve().then(() => {
      this.#publishing = null;
      this.snapshot = {
        external: new HostTable(new Map(this.#external)),
        local: new HostTable(new Map(this.#local)),
      };
    });
  }
}
