// Bytes to objects: JSON, YAML, and protobuf for the built-in kinds kubectl sends that way.
// Everything is plain JSON afterwards. A member called `__proto__` is refused here, once, so that
// merging code may copy members without a second thought.

import { parse as parseYaml } from 'yaml';
import type { KubeObject } from '../api/objects.ts';
import { findDuplicateFields } from './duplicate-fields.ts';
import { bodyTypeOf, JSON_TYPE } from './negotiation.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import { decodeProtobuf, PROTOBUF_MEDIA_TYPE } from './protobuf/decode.ts';
import { badRequest, unsupportedMediaType } from './status-error.ts';

/** Aliases in one YAML body; each could repeat a large value. */
const MAX_YAML_ALIASES = 100;

export interface DecodedBody {
  value: unknown;
  /** Members named twice; only looked for on demand. */
  duplicates: readonly string[];
}

export function parseJsonBody(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  if (text.includes('"__proto__"')) throw badRequest('a member may not be called __proto__');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the request body is not valid JSON: ${(error as Error).message}`);
  }
}

export function parseYamlBody(bytes: Buffer): unknown {
  try {
    const value: unknown = parseYaml(bytes.toString('utf8'), { maxAliasCount: MAX_YAML_ALIASES });
    // Through JSON: the same value types and the same refusal of __proto__ as for a JSON body.
    return parseJsonBody(Buffer.from(JSON.stringify(value ?? null)));
  } catch (error) {
    throw badRequest(`the request body is not valid YAML: ${(error as Error).message}`);
  }
}

/** Throws 415 for other types, 400 for what cannot be read. */
export function decodeBody(
  bytes: Buffer,
  contentType: string | undefined,
  options: { findsDuplicates: boolean },
): DecodedBody {
  switch (bodyTypeOf(contentType)) {
    case 'json': {
      const value = parseJsonBody(bytes);
      const duplicates = options.findsDuplicates ? findDuplicateFields(bytes.toString('utf8')) : [];
      return { value, duplicates };
    }
    case 'yaml':
      return { value: parseYamlBody(bytes), duplicates: [] };
    case 'protobuf':
      return { value: decodeProtobuf(bytes), duplicates: [] };
    case null:
      throw unsupportedMediaType([JSON_TYPE, 'application/yaml', PROTOBUF_MEDIA_TYPE]);
  }
}

/** The body as an API object: apiVersion, kind and metadata present. */
export function asKubeObject(value: unknown): KubeObject {
  if (!isJsonObject(value)) throw badRequest('the request body is not an object');
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof value[field] === 'string' && value[field] !== '') continue;
    const name = field === 'kind' ? 'Kind' : 'apiVersion';
    throw badRequest(`Object '${name}' is missing in '${JSON.stringify(value).slice(0, 200)}'`);
  }
  const metadata = value['metadata'] ?? {};
  if (!isJsonObject(metadata)) throw badRequest('metadata must be an object');
  for (const field of ['ownerReferences', 'finalizers']) {
    if (
      metadata[field] !== undefined &&
      metadata[field] !== null &&
      !Array.isArray(metadata[field])
    ) {
      throw badRequest(`metadata.${field} must be a list`);
    }
  }
  value['metadata'] = metadata;
  return value as unknown as KubeObject;
}

/** A body that may be missing altogether, such as DeleteOptions. */
export function decodeOptionalBody(bytes: Buffer, contentType: string | undefined): JsonObject {
  if (bytes.length === 0) return {};
  const { value } = decodeBody(bytes, contentType, { findsDuplicates: false });
  if (!isJsonObject(value)) throw badRequest('the request body is not an object');
  return value;
}
