// What the server itself sets on built-in kinds: the few defaults clients rely on and the state a
// new object starts with. Everything else about a kind is data in src/api/kinds.ts. Pure; copies on
// write.

import { ALL_KINDS, type Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { timestamp } from './object-meta.ts';
import { isJsonObject, type JsonObject } from './patch/json-value.ts';

export interface KindRules {
  /** Brings every written object into the stored form. */
  normalize?(object: KubeObject): KubeObject;
  /** Status of a new object; without it a kind with a status subresource starts without status. */
  initialStatus?(object: KubeObject, nowMs: number): JsonObject | undefined;
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

/** CRDs describe kinds; this server serves a fixed set and says so honestly (KN-115). */
function customResourceStatus(object: KubeObject, nowMs: number): JsonObject {
  const { spec } = body(object);
  const given = isJsonObject(spec) ? spec : {};
  const names = isJsonObject(given['names']) ? given['names'] : {};
  const isServed = ALL_KINDS.some(
    (kind) => kind.custom && kind.group === given['group'] && kind.plural === names['plural'],
  );
  const lastTransitionTime = timestamp(nowMs);
  const condition = (type: string): JsonObject => ({
    type,
    status: isServed ? 'True' : 'False',
    lastTransitionTime,
    reason: isServed ? 'BuiltIn' : 'NotServed',
    message: isServed ? 'the kind is built in' : 'this server serves a fixed set of kinds',
  });
  return {
    acceptedNames: names,
    conditions: [condition('NamesAccepted'), condition('Established')],
    storedVersions: [],
  };
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
  'apiextensions.k8s.io/CustomResourceDefinition': { initialStatus: customResourceStatus },
};

const NO_RULES: KindRules = {};

export function rulesOf(kind: Kind): KindRules {
  return RULES[`${kind.group}/${kind.kind}`] ?? NO_RULES;
}

/** The status a new object is stored with. */
export function withInitialStatus(kind: Kind, object: KubeObject, nowMs: number): KubeObject {
  const rules = rulesOf(kind);
  if (!kind.subresources.includes('status') || rules.keepsStatusOnCreate) return object;
  const { status: _given, ...rest } = body(object);
  const status = rules.initialStatus?.(object, nowMs);
  return (status === undefined ? rest : { ...rest, status }) as unknown as KubeObject;
}
