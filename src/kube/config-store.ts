// The live configuration: one frozen snapshot, replaced as a whole when a ConfigMap of the system
// namespace changes (CP-9). A map that does not parse keeps the value it had and is logged; a
// missing map means the stock value. Readers take one snapshot per pass.

import {
  CONFIG_MAPS,
  type ConfigMapRow,
  type ConfigMember,
  type ServingConfig,
  stockConfig,
} from '../api/config/registry.ts';
import type { ConfigMap } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { Logger } from '../telemetry/logger.ts';
import { deepEqual } from './equal.ts';
import type { InformerFactory } from './types.ts';

export interface ConfigStoreOptions {
  informers: InformerFactory;
  logger: Logger;
  systemNamespace: string;
  clusterDomain: string;
}

export type ConfigChangeHandler = (member: ConfigMember) => void;

export class ConfigStore {
  #current: ServingConfig;
  readonly #options: ConfigStoreOptions;
  readonly #handlers = new Set<ConfigChangeHandler>();
  readonly #rows = new Map<string, ConfigMapRow>(CONFIG_MAPS.map((row) => [row.name, row]));
  readonly #stopWatching: () => void;

  /** Asks the factory for the ConfigMap informer; values follow it from its first list on. */
  constructor(options: ConfigStoreOptions) {
    this.#options = options;
    this.#current = stockConfig(options.clusterDomain);
    const informer = options.informers.informer<ConfigMap>(kinds.ConfigMap);
    this.#stopWatching = informer.onChange((current, previous) => {
      const map = current ?? previous;
      if (map !== null) this.#apply(map, current === null);
    });
  }

  /** Never changes in place. */
  get current(): ServingConfig {
    return this.#current;
  }

  /** Calls `handler` with the member whose value changed. Returns a remove function. */
  onChange(handler: ConfigChangeHandler): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  stop(): void {
    this.#stopWatching();
    this.#handlers.clear();
  }

  #apply(map: ConfigMap, isDeleted: boolean): void {
    if (map.metadata.namespace !== this.#options.systemNamespace) return;
    const row = this.#rows.get(map.metadata.name);
    if (row === undefined) return;
    const data = isDeleted ? row.stock : map.data;
    const parsed = row.parse(data, this.#options.clusterDomain);
    if (!parsed.ok) {
      const fields = { configMap: map.metadata.name, problems: parsed.problems };
      this.#options.logger.error(fields, 'config map is invalid, the previous value stays');
      return;
    }
    if (isSame(this.#current[row.member], parsed.value)) return;
    this.#current = Object.freeze({ ...this.#current, [row.member]: parsed.value });
    for (const handler of this.#handlers) handler(row.member);
  }
}

/** Compiled templates compare by their source, sets and maps by their content. */
function isSame(a: unknown, b: unknown): boolean {
  return deepEqual(comparable(a), comparable(b));
}

function comparable(value: unknown): unknown {
  if (value instanceof Set) return [...value];
  if (value instanceof Map) return [...value].map(comparable);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, comparable(item)]));
}
