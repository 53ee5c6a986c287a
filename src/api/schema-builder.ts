// Words for writing structural schemas (the OpenAPI v3 subset Kubernetes uses) as short tables.

export interface JsonSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  description?: string;
  properties?: Readonly<Record<string, JsonSchema>>;
  required?: readonly string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  enum?: readonly string[];
  default?: unknown;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-map-type'?: 'atomic' | 'granular';
}

export const text: JsonSchema = { type: 'string' };
export const bool: JsonSchema = { type: 'boolean' };
export const int32: JsonSchema = { type: 'integer', format: 'int32' };
export const int64: JsonSchema = { type: 'integer', format: 'int64' };
export const intOrString: JsonSchema = { 'x-kubernetes-int-or-string': true };
export const textMap: JsonSchema = { type: 'object', additionalProperties: text };
/** Anything below is kept as it is. */
export const opaque: JsonSchema = {
  type: 'object',
  'x-kubernetes-preserve-unknown-fields': true,
};
export const opaqueList: JsonSchema = { type: 'array', items: opaque };

export function object(
  properties: Record<string, JsonSchema>,
  required?: readonly string[],
  description?: string,
): JsonSchema {
  return {
    type: 'object',
    properties,
    ...(required === undefined ? {} : { required }),
    ...(description === undefined ? {} : { description }),
  };
}

export function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/**
 * A list whose entries are told apart by the values of `keys` (server-side apply merges by them).
 */
export function mapList(items: JsonSchema, ...keys: string[]): JsonSchema {
  return {
    type: 'array',
    items,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': keys,
  };
}

export function withDefault(schema: JsonSchema, value: unknown): JsonSchema {
  return { ...schema, default: value };
}

export function described(schema: JsonSchema, description: string): JsonSchema {
  return { ...schema, description };
}

export function oneOfWords(...words: string[]): JsonSchema {
  return { type: 'string', enum: words };
}
