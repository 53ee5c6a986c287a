// Discovery documents (KN-110 to KN-115), made from the kinds' rows whenever those change: the
// aggregated form current clients ask for, its beta, and the legacy documents other tools read.

import { createHash } from 'node:crypto';
import type { Kind } from '../api/kinds.ts';
import {
  type Group,
  type GroupVersion,
  groupVersionName,
  type KindRegistry,
} from './kind-registry.ts';
import { parseAccept } from './negotiation.ts';
import { REVIEW_RESOURCES } from './reviews.ts';

export interface DiscoveryDocument {
  contentType: string;
  body: string;
  etag: string;
}

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const SUBRESOURCE_VERBS: Readonly<Record<string, readonly string[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  log: ['get'],
};
const AGGREGATED_VERSIONS = ['v2', 'v2beta1'] as const;
type AggregatedVersion = (typeof AGGREGATED_VERSIONS)[number];

/** A resource as discovery shows it; reviews are in the list although nothing stores them. */
export interface ListedResource {
  plural: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  verbs: readonly string[];
  shortNames: readonly string[];
  categories: readonly string[];
  subresources: readonly string[];
}

const listed = (kind: Kind): ListedResource => ({ ...kind, verbs: VERBS });

function resourcesOf({ group, version, kinds }: GroupVersion): ListedResource[] {
  return [...kinds.map(listed), ...(REVIEW_RESOURCES[groupVersionName(group, version)] ?? [])];
}

function reviewGroups(): Group[] {
  return Object.keys(REVIEW_RESOURCES).map((groupVersion) => {
    const [name = '', version = ''] = groupVersion.split('/');
    return { name, versions: [{ group: name, version, kinds: [] }] };
  });
}

const subresourceKind = (group: string, version: string, kind: string, subresource: string) =>
  subresource === 'scale'
    ? { group: 'autoscaling', version: 'v1', kind: 'Scale' }
    : { group, version, kind };

function aggregatedResource(group: string, version: string, resource: ListedResource): object {
  const { kind, subresources } = resource;
  return {
    resource: resource.plural,
    responseKind: { group, version, kind },
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(subresources.length === 0
      ? {}
      : {
          subresources: subresources.map((subresource) => ({
            subresource,
            responseKind: subresourceKind(group, version, kind, subresource),
            verbs: SUBRESOURCE_VERBS[subresource] ?? ['get'],
          })),
        }),
  };
}

function aggregated(groups: readonly Group[], version: AggregatedVersion): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group.name, creationTimestamp: null },
      versions: group.versions.map((entry) => ({
        version: entry.version,
        freshness: 'Current',
        resources: resourcesOf(entry).map((resource) =>
          aggregatedResource(entry.group, entry.version, resource),
        ),
      })),
    })),
  };
}

function legacyResources(entry: GroupVersion): object {
  const groupVersion = groupVersionName(entry.group, entry.version);
  const resources = resourcesOf(entry).flatMap((resource) => {
    const { kind, namespaced, plural } = resource;
    const main = {
      name: plural,
      singularName: resource.singular,
      namespaced,
      kind,
      verbs: resource.verbs,
      ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
      ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    };
    const subresources = resource.subresources.map((subresource) => {
      const shown = subresourceKind(entry.group, entry.version, kind, subresource);
      return {
        name: `${plural}/${subresource}`,
        singularName: '',
        namespaced,
        ...(subresource === 'scale' ? { group: shown.group, version: shown.version } : {}),
        kind: shown.kind,
        verbs: SUBRESOURCE_VERBS[subresource] ?? ['get'],
      };
    });
    return [main, ...subresources];
  });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

function legacyGroup({ name, versions }: Group): object {
  const entries = versions.map(({ version }) => ({
    groupVersion: groupVersionName(name, version),
    version,
  }));
  return { name, versions: entries, preferredVersion: entries[0] };
}

function toDocument(body: object, contentType: string): DiscoveryDocument {
  const text = JSON.stringify(body);
  const etag = `"${createHash('sha256').update(text).digest('hex').toUpperCase()}"`;
  return { contentType, body: text, etag };
}

const JSON_TYPE = 'application/json';

/** Every discovery document, ready to send. */
export class Discovery {
  readonly #legacy = new Map<string, DiscoveryDocument>();
  readonly #aggregated = new Map<string, DiscoveryDocument>();
  readonly #registry: KindRegistry;
  #generation = -1;

  constructor(registry: KindRegistry) {
    this.#registry = registry;
  }

  /** KN-115: the documents follow the kinds. */
  #refresh(): void {
    const registry = this.#registry;
    if (this.#generation === registry.generation) return;
    this.#generation = registry.generation;
    this.#legacy.clear();
    this.#aggregated.clear();
    const core = registry.groups.filter(({ name }) => name === '');
    const named = registry.groups.filter(({ name }) => name !== '');
    const others = [...named.slice(0, 2), ...reviewGroups(), ...named.slice(2)];
    for (const version of AGGREGATED_VERSIONS) {
      const contentType = `${JSON_TYPE};g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
      this.#aggregated.set(`/api ${version}`, toDocument(aggregated(core, version), contentType));
      this.#aggregated.set(
        `/apis ${version}`,
        toDocument(aggregated(others, version), contentType),
      );
    }
    const versions = { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    this.#addLegacy('/api', versions);
    this.#addLegacy('/apis', {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: others.map(legacyGroup),
    });
    for (const entry of core[0]?.versions ?? []) {
      this.#addLegacy(`/api/${entry.version}`, legacyResources(entry));
    }
    for (const group of others) {
      this.#addLegacy(`/apis/${group.name}`, {
        kind: 'APIGroup',
        apiVersion: 'v1',
        ...legacyGroup(group),
      });
      for (const entry of group.versions) {
        this.#addLegacy(`/apis/${group.name}/${entry.version}`, legacyResources(entry));
      }
    }
  }

  /** KN-112: `Accept` decides; undefined = not a discovery path. */
  find(path: string, accept: string | undefined): DiscoveryDocument | undefined {
    if (!path.startsWith('/api')) return undefined;
    this.#refresh();
    const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const legacy = this.#legacy.get(trimmed);
    if (legacy === undefined) return undefined;
    for (const { type, parameters } of parseAccept(accept)) {
      if (type !== JSON_TYPE && type !== '*/*') continue;
      if (parameters.get('as') !== 'APIGroupDiscoveryList') return legacy;
      const found = this.#aggregated.get(`${trimmed} ${parameters.get('v')}`);
      if (found !== undefined) return found;
    }
    return legacy;
  }

  #addLegacy(path: string, body: object): void {
    this.#legacy.set(path, toDocument(body, JSON_TYPE));
  }
}
