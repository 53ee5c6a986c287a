// A naive model of the API for random histories: objects are flat maps of values, ownership is a
// set of keys per manager and operation, everything is worked out anew by looking at all of it. It
// shares no code with the server, on purpose.

export type Data = Readonly<Record<string, string>>;

export type Step =
  | { do: 'create'; name: string; manager: string; data: Data }
  | { do: 'patch'; name: string; manager: string; data: Readonly<Record<string, string | null>> }
  | { do: 'put'; name: string; manager: string; data: Data; isStale: boolean }
  | { do: 'apply'; name: string; manager: string; data: Data; force: boolean }
  | { do: 'delete'; name: string };

interface ModelObject {
  data: Map<string, string>;
  /** `manager/operation` -> keys; the key '' is the map itself. */
  owners: Map<string, Set<string>>;
}

export interface Outcome {
  code: number;
  /** What watchers see, or null when nothing changed. */
  event: 'ADDED' | 'MODIFIED' | 'DELETED' | null;
}

const NOTHING: ReadonlyMap<string, ReadonlySet<string>> = new Map();

export class Model {
  readonly objects = new Map<string, ModelObject>();

  run(step: Step): Outcome {
    const found = this.objects.get(step.name);
    switch (step.do) {
      case 'create':
        if (found !== undefined) return { code: 409, event: null };
        this.#update(step.name, undefined, new Map(Object.entries(step.data)), step.manager);
        return { code: 201, event: 'ADDED' };
      case 'patch': {
        if (found === undefined) return { code: 404, event: null };
        const next = new Map(found.data);
        for (const [key, value] of Object.entries(step.data)) {
          if (value === null) next.delete(key);
          else next.set(key, value);
        }
        return this.#update(step.name, found, next, step.manager);
      }
      case 'put':
        if (found === undefined) return { code: 404, event: null };
        if (step.isStale) return { code: 409, event: null };
        return this.#update(step.name, found, new Map(Object.entries(step.data)), step.manager);
      case 'apply':
        return this.#apply(step.name, found, step);
      case 'delete':
        if (found === undefined) return { code: 404, event: null };
        this.objects.delete(step.name);
        return { code: 200, event: 'DELETED' };
    }
  }

  #update(
    name: string,
    old: ModelObject | undefined,
    next: Map<string, string>,
    manager: string,
  ): Outcome {
    const object = old ?? { data: new Map<string, string>(), owners: new Map() };
    const written = [...next.keys()].filter((key) => object.data.get(key) !== next.get(key));
    const removed = [...object.data.keys()].filter((key) => !next.has(key));
    if (old === undefined) written.push('');
    if (written.length + removed.length === 0) return { code: 200, event: null };
    lose(object.owners, [...written, ...removed], null);
    if (written.length > 0) gain(object.owners, `${manager}/Update`, written);
    object.data = next;
    this.objects.set(name, object);
    return { code: 200, event: 'MODIFIED' };
  }

  #apply(
    name: string,
    old: ModelObject | undefined,
    { manager, data, force }: { manager: string; data: Data; force: boolean },
  ): Outcome {
    const self = `${manager}/Apply`;
    const object = old ?? { data: new Map<string, string>(), owners: new Map() };
    const written = Object.keys(data).filter((key) => object.data.get(key) !== data[key]);
    const others = [...object.owners].filter(([owner]) => owner !== self);
    const isContested = others.some(([, keys]) => written.some((key) => keys.has(key)));
    if (isContested && !force) return { code: 409, event: null };
    const before = object.owners.get(self) ?? new Set<string>();
    const dropped = [...before].filter(
      (key) => !(key in data) && !others.some(([, keys]) => keys.has(key)),
    );
    const isSameClaim = before.size === Object.keys(data).length && dropped.length === 0;
    const isSame = isSameClaim && Object.keys(data).every((key) => before.has(key));
    lose(object.owners, [...written, ...dropped], self);
    for (const key of dropped) object.data.delete(key);
    for (const [key, value] of Object.entries(data)) object.data.set(key, value);
    object.owners.set(self, new Set(Object.keys(data)));
    this.objects.set(name, object);
    if (old === undefined) return { code: 201, event: 'ADDED' };
    return { code: 200, event: isSame && written.length === 0 ? null : 'MODIFIED' };
  }

  ownersOf(name: string): ReadonlyMap<string, ReadonlySet<string>> {
    return this.objects.get(name)?.owners ?? NOTHING;
  }
}

function lose(owners: Map<string, Set<string>>, keys: readonly string[], but: string | null): void {
  for (const [owner, owned] of owners) {
    if (owner === but) continue;
    for (const key of keys) owned.delete(key);
    if (owned.size === 0) owners.delete(owner);
  }
}

function gain(owners: Map<string, Set<string>>, owner: string, keys: readonly string[]): void {
  const owned = owners.get(owner) ?? new Set();
  for (const key of keys) owned.add(key);
  owners.set(owner, owned);
}
