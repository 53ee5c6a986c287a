// What a value is to field ownership (KN-194): a leaf (scalars, atomic lists and maps), a map whose
// members are owned one by one, or a list whose items are told apart by keys or by their values.
// Types come from the structural schema of a custom kind, or from the tables of the built-in ones.
// Pure data, made once per kind.

import type { StructuralSchema } from '../structural-schema.ts';

export interface LeafType {
  readonly kind: 'leaf';
}

export interface MapType {
  readonly kind: 'map';
  readonly fields: Readonly<Record<string, FieldType>>;
  /** Members that `fields` does not name. */
  readonly rest: FieldType;
  /** Unnamed members count as declared fields: then a container is not owned beside its content. */
  readonly isNamed: boolean;
  /** Always there in Kubernetes' own form of the object, so nobody owns the container itself. */
  readonly isPresent: boolean;
}

export interface ListType {
  readonly kind: 'list';
  /** null = a set of scalars. */
  readonly keys: readonly string[] | null;
  /** Values of keys that an item leaves out. */
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly items: FieldType;
  /** As `MapType.isPresent`. */
  readonly isPresent: boolean;
}

export type FieldType = LeafType | MapType | ListType;

export const LEAF: LeafType = { kind: 'leaf' };

function openType(isNamed: boolean): MapType {
  const type = { kind: 'map', fields: {}, rest: LEAF, isNamed, isPresent: false } as {
    -readonly [K in keyof MapType]: MapType[K];
  };
  type.rest = type;
  return type;
}

/** Whatever the value shows: maps by member, lists whole. As fields no schema describes. */
export const DEDUCED: MapType = openType(false);
/** As DEDUCED, for the structures of built-in kinds, whose members are all declared. */
export const OPEN: MapType = openType(true);

export function mapType(
  fields: Readonly<Record<string, FieldType>>,
  options: { rest?: FieldType; isNamed?: boolean; isPresent?: boolean } = {},
): MapType {
  const { rest = LEAF, isNamed = false, isPresent = false } = options;
  return { kind: 'map', fields, rest, isNamed, isPresent };
}

/** A structure of a built-in kind; members not named are OPEN. */
export function struct(fields: Readonly<Record<string, FieldType>>, isPresent = false): MapType {
  return mapType(fields, { rest: OPEN, isNamed: true, isPresent });
}

export function keyedList(
  keys: readonly string[],
  items: FieldType,
  options: { defaults?: Readonly<Record<string, unknown>>; isPresent?: boolean } = {},
): ListType {
  const { defaults = {}, isPresent = false } = options;
  return { kind: 'list', keys, defaults, items, isPresent };
}

export const SET: ListType = {
  kind: 'list',
  keys: null,
  defaults: {},
  items: LEAF,
  isPresent: false,
};

/** Members only the server sets: nobody owns them, nor the objects' identity. */
export const UNOWNED_METADATA: readonly string[] = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
];

export const METADATA: MapType = struct(
  { ownerReferences: keyedList(['uid'], LEAF), finalizers: SET },
  true,
);

/** The type of a custom kind's objects. */
export function typeOfSchema(schema: StructuralSchema | undefined): MapType {
  const type = schema === undefined ? DEDUCED : typeOf(schema);
  const fields = type.kind === 'map' ? type.fields : {};
  const rest = type.kind === 'map' ? type.rest : LEAF;
  return mapType({ ...fields, apiVersion: LEAF, kind: LEAF, metadata: METADATA }, { rest });
}

function typeOf(schema: StructuralSchema): FieldType {
  if (schema.items !== undefined) return typeOfList(schema, schema.items);
  const { properties = {}, additionalProperties } = schema;
  if (schema['x-kubernetes-map-type'] === 'atomic') return LEAF;
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema.type !== 'object' && !isOpen) return LEAF;
  const fields = Object.entries(properties).map(([name, member]) => [name, typeOf(member)]);
  const rest =
    typeof additionalProperties === 'object'
      ? typeOf(additionalProperties)
      : isOpen || additionalProperties === true
        ? DEDUCED
        : LEAF;
  return mapType(Object.fromEntries(fields), { rest });
}

function typeOfList(schema: StructuralSchema, items: StructuralSchema): FieldType {
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return SET;
    case 'map': {
      const defaults = keys.flatMap((key) => {
        const value = items.properties?.[key]?.default;
        return value === undefined ? [] : [[key, value] as const];
      });
      return keyedList([...keys].sort(), typeOf(items), { defaults: Object.fromEntries(defaults) });
    }
    default:
      return LEAF;
  }
}
