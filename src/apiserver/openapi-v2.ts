// OpenAPI v2 as JSON, for clients that know nothing newer (older libraries, code generators): the
// v3 documents of all group versions in one, in the older spelling. kubectl asks for it as protobuf
// (KN-123): up to 1.28 it applies nothing without, and looks into it for nothing that v3 or its own
// types do not tell it, so it gets a valid document that defines nothing. Pure.

import type { JsonObject } from './patch/json-value.ts';

const V3_REFERENCE = /"#\/components\/schemas\//g;

/** A string field of a protobuf message; numbers and lengths here fit into one byte. */
const field = (number: number, text: string): string =>
  String.fromCharCode(number * 8 + 2, text.length) + text;

/** openapi.v2.Document: swagger (1), info (2) of title and version, paths (8), definitions (9). */
export const EMPTY_V2_PROTOBUF =
  field(1, '2.0') + field(2, field(1, 'Pilotlight') + field(2, 'v1')) + field(8, '') + field(9, '');

interface V3Parameter {
  name: string;
  in: string;
  description?: string;
  schema?: { type?: string; uniqueItems?: boolean };
}

interface V3Document {
  paths: Record<string, Record<string, JsonObject & { parameters?: V3Parameter[] }>>;
  components: { schemas: Record<string, JsonObject> };
}

/** The text of the v2 document made of the texts of all v3 documents. */
export function toSwagger(documents: readonly string[]): string {
  const paths: Record<string, JsonObject> = {};
  const definitions: Record<string, JsonObject> = {};
  for (const text of documents) {
    const document = JSON.parse(text.replace(V3_REFERENCE, '"#/definitions/')) as V3Document;
    Object.assign(definitions, document.components.schemas);
    for (const [path, operations] of Object.entries(document.paths)) {
      paths[path] = withPathParameters(path, operations);
    }
  }
  return JSON.stringify({
    swagger: '2.0',
    info: { title: 'Pilotlight', version: 'v1' },
    paths,
    definitions,
  });
}

/** v2 wants types beside names, the body as a parameter, and each name of the path declared. */
function withPathParameters(path: string, operations: V3Document['paths'][string]): JsonObject {
  const item: JsonObject = {
    parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      type: 'string',
    })),
  };
  for (const [method, operation] of Object.entries(operations)) {
    const query = (operation.parameters ?? []).map(({ schema, ...parameter }) => ({
      ...parameter,
      type: schema?.type ?? 'string',
    }));
    const hasBody = method === 'post' || method === 'put' || method === 'patch';
    const body = { name: 'body', in: 'body', required: true, schema: { type: 'object' } };
    item[method] = {
      ...operation,
      consumes: ['application/json', 'application/yaml'],
      produces: ['application/json', 'application/yaml'],
      parameters: hasBody ? [...query, body] : query,
    };
  }
  return item;
}
