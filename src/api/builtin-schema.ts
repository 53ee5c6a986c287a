// Schemas of the built-in kinds, put together from the tables of their members: what the API server
// knows unknown fields and wrong types by, and explains. They demand nothing and default nothing.

import { KIND_FIELDS } from './builtin-fields.ts';
import { POD_FIELDS } from './builtin-pod-fields.ts';
import type { Kind } from './kinds.ts';
import type { JsonSchema } from './schema-builder.ts';

const METADATA_FIELDS =
  'annotations:{s} creationTimestamp:s deletionGracePeriodSeconds:i deletionTimestamp:s ' +
  'finalizers:[s] generateName:s generation:i labels:{s} managedFields:[x] name:s namespace:s ' +
  'ownerReferences:[OwnerReference] resourceVersion:s selfLink:s uid:s';

const FIELDS: Readonly<Record<string, string>> = {
  ...KIND_FIELDS,
  ...POD_FIELDS,
  Metadata: METADATA_FIELDS,
  OwnerReference: 'apiVersion:s blockOwnerDeletion:b controller:b kind:s name:s uid:s',
};

const SCALARS: Readonly<Record<string, JsonSchema>> = {
  s: { type: 'string' },
  i: { type: 'integer' },
  b: { type: 'boolean' },
  q: { 'x-kubernetes-int-or-string': true },
  x: { 'x-kubernetes-preserve-unknown-fields': true },
};

const made = new Map<string, JsonSchema>();
const names = new WeakMap<JsonSchema, string>();

function schemaOfType(type: string): JsonSchema {
  if (type.startsWith('[')) return { type: 'array', items: schemaOfType(type.slice(1, -1)) };
  if (type.startsWith('{')) {
    return { type: 'object', additionalProperties: schemaOfType(type.slice(1, -1)) };
  }
  return SCALARS[type] ?? schemaOfStructure(type);
}

function schemaOfStructure(name: string): JsonSchema {
  const known = made.get(name);
  if (known !== undefined) return known;
  const fields = FIELDS[name];
  if (fields === undefined) throw new Error(`the tables of built-in kinds lack ${name}`);
  const members = fields.split(' ').map((field) => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon), schemaOfType(field.slice(colon + 1))] as const;
  });
  const schema: JsonSchema = { type: 'object', properties: Object.fromEntries(members) };
  made.set(name, schema);
  names.set(schema, name);
  return schema;
}

const GROUPS: ReadonlySet<string> = new Set([
  '',
  'apps',
  'autoscaling',
  'coordination.k8s.io',
  'discovery.k8s.io',
]);

/** undefined = the kind is not built in, or not described. */
export function builtinSchemaOf(kind: Kind): JsonSchema | undefined {
  const isKnown = !kind.custom && GROUPS.has(kind.group) && FIELDS[kind.kind] !== undefined;
  return isKnown ? rootOf(kind.kind) : undefined;
}

function rootOf(name: string): JsonSchema {
  const known = made.get(`/${name}`);
  if (known !== undefined) return known;
  const structure = schemaOfStructure(name);
  const { metadata: _open, ...properties } = structure.properties ?? {};
  const root: JsonSchema = {
    ...structure,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      ...properties,
    },
  };
  made.set(`/${name}`, root);
  names.set(root, name);
  return root;
}

/** The name Kubernetes gives the structure a schema describes; '' for none. */
export const structureName = (schema: object): string => names.get(schema as JsonSchema) ?? '';
