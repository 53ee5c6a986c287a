// What @peculiar/x509 needs of the Reflect metadata proposal: its dependency container refuses to
// load without it. Only the four functions it calls, over one WeakMap, prototype chain included.
// Import this before the library. Does nothing where a full polyfill is already loaded.

type Metadata = Map<PropertyKey, Map<unknown, unknown>>;

interface MetadataReflect {
  defineMetadata?(key: unknown, value: unknown, target: object, property?: PropertyKey): void;
  getMetadata?(key: unknown, target: object, property?: PropertyKey): unknown;
  getOwnMetadata?(key: unknown, target: object, property?: PropertyKey): unknown;
  metadata?(key: unknown, value: unknown): (target: object, property?: PropertyKey) => void;
}

/** Where metadata of the target itself, not of one of its properties, is kept. */
const WHOLE_TARGET = Symbol('target');
const registry = new WeakMap<object, Metadata>();

function define(key: unknown, value: unknown, target: object, property?: PropertyKey): void {
  const slot = property ?? WHOLE_TARGET;
  const metadata: Metadata = registry.get(target) ?? new Map();
  registry.set(target, metadata);
  const values = metadata.get(slot) ?? new Map<unknown, unknown>();
  metadata.set(slot, values);
  values.set(key, value);
}

function getOwn(key: unknown, target: object, property?: PropertyKey): unknown {
  return registry
    .get(target)
    ?.get(property ?? WHOLE_TARGET)
    ?.get(key);
}

function get(key: unknown, target: object, property?: PropertyKey): unknown {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
    const value = getOwn(key, at, property);
    if (value !== undefined) return value;
  }
  return undefined;
}

const reflect = Reflect as MetadataReflect;
if (reflect.getMetadata === undefined) {
  reflect.defineMetadata = define;
  reflect.getOwnMetadata = getOwn;
  reflect.getMetadata = get;
  reflect.metadata = (key, value) => (target, property) => define(key, value, target, property);
}
