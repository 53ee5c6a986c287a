// Finds the row of a kind by what a path or a manifest says, and groups the rows for discovery.
// Order is the order of the rows: it decides which resource a bare `services` means (KN-110).

import { apiVersionOf, type Kind } from '../api/kinds.ts';

export interface GroupVersion {
  group: string;
  version: string;
  kinds: readonly Kind[];
}

export interface Group {
  name: string;
  /** Preference order. */
  versions: readonly GroupVersion[];
}

export class KindRegistry {
  #kinds: readonly Kind[] = [];
  #groups: readonly Group[] = [];
  #generation = 0;
  readonly #byPlural = new Map<string, Kind>();
  readonly #byKind = new Map<string, Kind>();
  readonly #groupVersions = new Map<string, GroupVersion>();

  constructor(kinds: readonly Kind[]) {
    this.#fill(kinds);
  }

  get kinds(): readonly Kind[] {
    return this.#kinds;
  }

  get groups(): readonly Group[] {
    return this.#groups;
  }

  /** Changes with the rows; documents made from them are made again then. */
  get generation(): number {
    return this.#generation;
  }

  /** Custom kinds come and go; new ones go to the end. */
  replace(old: readonly Kind[], kinds: readonly Kind[]): void {
    this.#fill([...this.#kinds.filter((kind) => !old.includes(kind)), ...kinds]);
  }

  #fill(kinds: readonly Kind[]): void {
    this.#kinds = kinds;
    this.#generation += 1;
    this.#byPlural.clear();
    this.#byKind.clear();
    this.#groupVersions.clear();
    const groups = new Map<string, Map<string, Kind[]>>();
    for (const kind of kinds) {
      this.#byPlural.set(`${apiVersionOf(kind)}/${kind.plural}`, kind);
      this.#byKind.set(`${apiVersionOf(kind)}/${kind.kind}`, kind);
      const versions = groups.get(kind.group) ?? new Map<string, Kind[]>();
      groups.set(kind.group, versions);
      const members = versions.get(kind.version) ?? [];
      versions.set(kind.version, members);
      members.push(kind);
    }
    this.#groups = [...groups].map(([name, versions]) => ({
      name,
      versions: [...versions].map(([version, members]) => ({
        group: name,
        version,
        kinds: members,
      })),
    }));
    for (const { versions } of this.#groups) {
      for (const entry of versions) {
        this.#groupVersions.set(groupVersionName(entry.group, entry.version), entry);
      }
    }
  }

  byPlural(group: string, version: string, plural: string): Kind | undefined {
    return this.#byPlural.get(`${groupVersionName(group, version)}/${plural}`);
  }

  byKind(apiVersion: string, kind: string): Kind | undefined {
    return this.#byKind.get(`${apiVersion}/${kind}`);
  }

  groupVersion(group: string, version: string): GroupVersion | undefined {
    return this.#groupVersions.get(groupVersionName(group, version));
  }
}

/** `v1`, or `apps/v1`. */
export function groupVersionName(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}
