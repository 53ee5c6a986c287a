// What a CustomResourceDefinition must be like to be served: names, versions, a structural schema.
// Wrong ones are refused with the field at fault, as Kubernetes does; what this server does not do
// (webhook conversion, CEL rules) is refused or said aloud, never ignored in silence. Pure.

import type { CustomResourceDefinition, DefinitionVersion } from '../../api/custom-resource.ts';
import type { KubeObject } from '../../api/objects.ts';
import { compileJsonPath } from '../json-path.ts';
import { isJsonObject, type JsonObject } from '../patch/json-value.ts';
import type { Violation } from '../status-error.ts';

/** Put on every definition, so that its objects go before it does. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';
/** Versions of one definition. */
const MAX_VERSIONS = 50;
/** Nesting of a schema. */
const MAX_SCHEMA_DEPTH = 100;
const DNS_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/** Fills in what follows from the rest. */
export function normalizeDefinition(object: KubeObject): KubeObject {
  const { spec } = object as unknown as { spec?: unknown };
  if (!isJsonObject(spec) || !isJsonObject(spec['names'])) return object;
  const { names, conversion } = spec;
  const { kind, singular, listKind } = names as Record<string, unknown>;
  if (typeof kind !== 'string' || (singular && listKind && conversion)) return object;
  const filled: JsonObject = {
    ...spec,
    names: {
      ...(names as object),
      singular: singular || kind.toLowerCase(),
      listKind: listKind || `${kind}List`,
    },
    conversion: conversion ?? { strategy: 'None' },
  };
  return { ...object, spec: filled } as unknown as KubeObject;
}

/** Everything that keeps a definition from being served. */
export function definitionViolations(object: KubeObject): Violation[] {
  const found: Violation[] = [];
  const { spec } = object as unknown as { spec?: unknown };
  if (!isJsonObject(spec)) return [required('spec')];
  const names = isJsonObject(spec['names']) ? spec['names'] : {};
  for (const field of ['plural', 'kind']) {
    if (!isText(names[field])) found.push(required(`spec.names.${field}`));
  }
  if (!isText(spec['group'])) found.push(required('spec.group'));
  const scope = spec['scope'];
  if (scope !== 'Cluster' && scope !== 'Namespaced') {
    const detail = 'supported values: "Cluster", "Namespaced"';
    found.push({ type: 'NotSupported', field: 'spec.scope', value: scope ?? '', detail });
  }
  const name = `${String(names['plural'])}.${String(spec['group'])}`;
  if (object.metadata.name !== name) {
    const detail = `must be spec.names.plural+"."+spec.group`;
    found.push({ type: 'Invalid', field: 'metadata.name', value: object.metadata.name, detail });
  }
  checkNames(names, found);
  checkConversion(spec['conversion'], found);
  checkVersions(spec['versions'], found);
  return found;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const required = (field: string, detail = ''): Violation => ({ type: 'Required', field, detail });

function checkNames(names: JsonObject, found: Violation[]): void {
  const shortNames = Array.isArray(names['shortNames']) ? names['shortNames'] : [];
  const lower: [string, unknown][] = [
    ['plural', names['plural']],
    ['singular', names['singular']],
    ...shortNames.map((name, index): [string, unknown] => [`shortNames[${index}]`, name]),
  ];
  for (const [field, value] of lower) {
    if (value === undefined || (isText(value) && DNS_LABEL.test(value))) continue;
    const detail = "a DNS-1035 label must consist of lower case alphanumeric characters or '-'";
    found.push({ type: 'Invalid', field: `spec.names.${field}`, value, detail });
  }
}

function checkConversion(conversion: unknown, found: Violation[]): void {
  const strategy = isJsonObject(conversion) ? conversion['strategy'] : 'None';
  if (strategy === 'None') return;
  const detail = 'supported values: "None" (this server calls no conversion webhooks)';
  found.push({ type: 'NotSupported', field: 'spec.conversion.strategy', value: strategy, detail });
}

function checkVersions(versions: unknown, found: Violation[]): void {
  if (!Array.isArray(versions) || versions.length === 0 || versions.length > MAX_VERSIONS) {
    found.push(required('spec.versions', `must have 1 to ${MAX_VERSIONS} items`));
    return;
  }
  const stored = versions.filter((version) => isJsonObject(version) && version['storage'] === true);
  if (stored.length !== 1) {
    const detail = 'must have exactly one version marked as storage version';
    found.push({
      type: 'Invalid',
      field: 'spec.versions',
      value: versions.map((version) => (version as { name?: string })?.name),
      detail,
    });
  }
  const seen = new Set<unknown>();
  for (const [index, version] of versions.entries()) {
    const field = `spec.versions[${index}]`;
    if (!isJsonObject(version) || !isText(version['name'])) {
      found.push(required(`${field}.name`));
      continue;
    }
    const { name } = version;
    if (seen.has(name))
      found.push({ type: 'Duplicate', field: `${field}.name`, value: name, detail: '' });
    seen.add(name);
    checkVersion(version as unknown as DefinitionVersion, field, found);
  }
}

function checkVersion(version: DefinitionVersion, field: string, found: Violation[]): void {
  const schema: unknown = version.schema?.openAPIV3Schema;
  const path = `${field}.schema.openAPIV3Schema`;
  if (!isJsonObject(schema)) found.push(required(path, 'schemas are required'));
  else {
    if (schema['type'] !== 'object') {
      const detail = 'must be object at the root';
      found.push({ type: 'Invalid', field: `${path}.type`, value: schema['type'] ?? '', detail });
    }
    checkSchema(schema, path, found, 0);
  }
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    if (isPath(column?.jsonPath)) continue;
    const at = `${field}.additionalPrinterColumns[${index}].jsonPath`;
    const detail = 'is not a JSONPath this server can follow';
    found.push({ type: 'Invalid', field: at, value: column?.jsonPath ?? '', detail });
  }
}

function isPath(path: unknown): boolean {
  try {
    return typeof path === 'string' && compileJsonPath(path) !== undefined;
  } catch {
    return false; // the violation names the path
  }
}

/** Structural: every node has a type, unless it says what else it is; lists say what they hold. */
function checkSchema(schema: JsonObject, path: string, found: Violation[], depth: number): void {
  if (depth > MAX_SCHEMA_DEPTH) {
    found.push({ type: 'Invalid', field: path, value: '', detail: 'is nested too deeply' });
    return;
  }
  const isFree =
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (!isText(schema['type']) && !isFree) {
    found.push(required(`${path}.type`, 'must not be empty for specified object fields'));
  }
  if (schema['type'] === 'array' && !isJsonObject(schema['items'])) {
    found.push(required(`${path}.items`, 'must be specified'));
  }
  if (isText(schema['pattern']) && !isPattern(schema['pattern'])) {
    const detail = 'must be a valid regular expression';
    found.push({ type: 'Invalid', field: `${path}.pattern`, value: schema['pattern'], detail });
  }
  for (const [name, child] of schemaChildren(schema)) {
    checkSchema(child, `${path}.${name}`, found, depth + 1);
  }
}

function* schemaChildren(schema: JsonObject): Iterable<[string, JsonObject]> {
  const { properties, items, additionalProperties } = schema;
  for (const [name, child] of Object.entries(isJsonObject(properties) ? properties : {})) {
    if (isJsonObject(child)) yield [`properties[${name}]`, child];
  }
  if (isJsonObject(items)) yield ['items', items];
  if (isJsonObject(additionalProperties)) yield ['additionalProperties', additionalProperties];
}

function isPattern(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u') !== null;
  } catch {
    return false; // the violation names the pattern
  }
}

/** True when some schema has CEL rules, which are kept but not evaluated. */
export function hasRules({ spec }: CustomResourceDefinition): boolean {
  const search = (schema: JsonObject): boolean =>
    schema['x-kubernetes-validations'] !== undefined ||
    [...schemaChildren(schema)].some(([, child]) => search(child));
  return spec.versions.some(({ schema }) => {
    const root: unknown = schema?.openAPIV3Schema;
    return isJsonObject(root) && search(root);
  });
}
