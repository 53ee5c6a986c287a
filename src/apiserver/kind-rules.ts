// What the server itself sets on built-in kinds: the few defaults clients rely on and the state a
// new object starts with. Everything else about a kind is data in src/api/kinds.ts. Pure; copies on
// write.

import type { CustomResourceDefinition } from '../api/custom-resource.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import {
  CLEANUP_FINALIZER,
  definitionViolations,
  hasRules,
  normalizeDefinition,
} from './custom/definition-rules.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';
import type { Violation } from './status-error.ts';

export interface KindRules {
  /** Brings every written object into the stored form. */
  normalize?(object: KubeObject): KubeObject;
  /** What is wrong with an object, beyond its metadata and schema. */
  violations?(object: KubeObject): Violation[];
  /** What its author should hear. Only called for an object without violations. */
  warnings?(object: KubeObject): string[];
  /** Status of a new object; without it a kind with a status subresource starts without status. */
  initialStatus?(): JsonObject | undefined;
  /** True for kinds whose creator reports status along with the object. */
  keepsStatusOnCreate?: true;
}

const body = (object: KubeObject): JsonObject => object as unknown as JsonObject;

function withSpecDefaults(object: KubeObject, defaults: JsonObject): KubeObject {
  const { spec } = body(object);
  const given = isJsonObject(spec) ? spec : {};
  const missing = Object.entries(defaults).filter(([key]) => given[key] === undefined);
  if (missing.length === 0) return object;
  return { ...object, spec: { ...given, ...Object.fromEntries(missing) } } as KubeObject;
}

/** `stringData` is write-only: its members land in `data`, encoded. */
function normalizeSecret(object: KubeObject): KubeObject {
  const { stringData, ...rest } = body(object);
  if (stringData === undefined && rest['type'] !== undefined) return object;
  const data: JsonObject = isJsonObject(rest['data']) ? { ...rest['data'] } : {};
  for (const [key, text] of Object.entries(isJsonObject(stringData) ? stringData : {})) {
    data[key] = Buffer.from(String(text), 'utf8').toString('base64');
  }
  const merged = { ...rest, type: rest['type'] ?? 'Opaque' } as JsonObject;
  if (Object.keys(data).length > 0) merged['data'] = data;
  return merged as unknown as KubeObject;
}

const NAMESPACE_LABEL = 'kubernetes.io/metadata.name';

function normalizeNamespace(object: KubeObject): KubeObject {
  const { labels, name } = object.metadata;
  if (labels?.[NAMESPACE_LABEL] === name) return object;
  const metadata = { ...object.metadata, labels: { ...labels, [NAMESPACE_LABEL]: name } };
  return { ...object, metadata };
}

/** Its objects go before it does. */
function normalizeCustomResource(object: KubeObject): KubeObject {
  const normal = normalizeDefinition(object);
  const { finalizers = [], deletionTimestamp } = normal.metadata;
  if (deletionTimestamp !== undefined || finalizers.includes(CLEANUP_FINALIZER)) return normal;
  const metadata = { ...normal.metadata, finalizers: [...finalizers, CLEANUP_FINALIZER] };
  return { ...normal, metadata };
}

const RULES: Readonly<Record<string, KindRules>> = {
  '/Namespace': {
    normalize: (object) =>
      withSpecDefaults(normalizeNamespace(object), { finalizers: ['kubernetes'] }),
    initialStatus: () => ({ phase: 'Active' }),
  },
  '/Pod': {
    normalize: (object) =>
      withSpecDefaults(object, { restartPolicy: 'Always', terminationGracePeriodSeconds: 30 }),
    initialStatus: () => ({ phase: 'Pending' }),
  },
  '/Service': {
    normalize: (object) => withSpecDefaults(object, { type: 'ClusterIP', sessionAffinity: 'None' }),
    initialStatus: () => ({ loadBalancer: {} }),
  },
  '/Secret': { normalize: normalizeSecret },
  '/Node': { keepsStatusOnCreate: true },
  'apps/Deployment': { normalize: (object) => withSpecDefaults(object, { replicas: 1 }) },
  'apiextensions.k8s.io/CustomResourceDefinition': {
    normalize: normalizeCustomResource,
    violations: definitionViolations,
    warnings: (object) =>
      hasRules(object as CustomResourceDefinition)
        ? ['x-kubernetes-validations rules are kept, but not evaluated by this server']
        : [],
  },
};

const NO_RULES: KindRules = {};

export function rulesOf(kind: Kind): KindRules {
  return RULES[`${kind.group}/${kind.kind}`] ?? NO_RULES;
}

/** The status a new object is stored with. */
export function withInitialStatus(kind: Kind, object: KubeObject): KubeObject {
  const rules = rulesOf(kind);
  if (!kind.subresources.includes('status') || rules.keepsStatusOnCreate) return object;
  const { status: _given, ...rest } = body(object);
  const status = rules.initialStatus?.();
  return (status === undefined ? rest : { ...rest, status }) as unknown as KubeObject;
}
