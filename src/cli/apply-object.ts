// Applies one object as `kubectl apply` does: create it, or patch the difference between what was
// applied last, what is wanted and what is there. Knative objects additionally learn which folder
// their YAML came from, so that a relative workingDir means what its author meant; that annotation
// is not remembered as applied, so a later `kubectl apply` of the same file leaves it alone.

import { findKind, type Kind, resourceName, resourcePath } from '../api/kinds.ts';
import { LAST_APPLIED_ANNOTATION } from '../api/labels.ts';
import type { KubeObject } from '../api/objects.ts';
import { ApiError, isNotFound, type KubeClient } from '../kube/types.ts';
import { ManifestError } from './errors.ts';
import { fieldsIn, type Manifest } from './manifests.ts';
import { type Json, sameJson, threeWayPatch } from './three-way.ts';

export type ApplyOutcome = 'created' | 'configured' | 'unchanged';

export interface Applied {
  kind: Kind;
  object: KubeObject;
  outcome: ApplyOutcome;
}

const SOURCE_DIR_ANNOTATION = 'pilotlight.dev/source-dir';
const FIELD_MANAGER = 'pilotlight-apply';
const DEFAULT_NAMESPACE = 'default';

/** Rejects with ManifestError when the object is refused, naming file, line and field. */
export async function applyManifest(
  client: KubeClient,
  manifest: Manifest,
  options: { namespace?: string } = {},
): Promise<Applied> {
  const given = manifest.object;
  const kind = findKind(given.apiVersion, given.kind);
  if (kind === undefined) {
    const what = `kind "${given.kind}" of ${given.apiVersion} is not known here`;
    throw new ManifestError([`${manifest.file}:${manifest.lineOf('kind')}: ${what}`]);
  }
  const written = withNamespace(given, kind, options.namespace ?? DEFAULT_NAMESPACE);
  try {
    return await apply(client, kind, written, manifest.folder);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new ManifestError(explain(error, manifest, kind));
  }
}

async function apply(
  client: KubeClient,
  kind: Kind,
  written: KubeObject,
  folder: string,
): Promise<Applied> {
  const { namespace, name } = written.metadata;
  const wanted = withSourceDir(written, folder);
  const lastApplied = JSON.stringify(written);
  let live: KubeObject;
  try {
    live = await client.get<KubeObject>(kind, { namespace, name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const path = resourcePath(kind, namespace);
    const object = await send(client, 'POST', path, annotated(wanted, lastApplied));
    return { kind, object, outcome: 'created' };
  }
  const before = live.metadata.annotations?.[LAST_APPLIED_ANNOTATION];
  const last = before === undefined ? null : (JSON.parse(before) as Record<string, Json>);
  const patch = threeWayPatch(last, toJson(wanted), toJson(live));
  const isSame = last !== null && sameJson(last, toJson(written));
  if (patch === null && isSame) return { kind, object: live, outcome: 'unchanged' };
  const body = annotated((patch ?? {}) as Partial<KubeObject>, lastApplied);
  const path = resourcePath(kind, namespace, name);
  const object = await send(client, 'PATCH', path, body, 'application/merge-patch+json');
  return { kind, object, outcome: patch === null ? 'unchanged' : 'configured' };
}

/** Members the type system does not know are sent as they were written. */
function toJson(object: KubeObject): Record<string, Json> {
  return JSON.parse(JSON.stringify(object)) as Record<string, Json>;
}

function withNamespace(object: KubeObject, kind: Kind, namespace: string): KubeObject {
  if (!kind.namespaced) return object;
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, namespace: metadata.namespace ?? namespace } };
}

function annotated(object: Partial<KubeObject>, lastApplied: string): unknown {
  const metadata = object.metadata as KubeObject['metadata'] | undefined;
  const annotations = { ...metadata?.annotations, [LAST_APPLIED_ANNOTATION]: lastApplied };
  return { ...object, metadata: { ...metadata, annotations } };
}

interface WithTemplate extends KubeObject {
  spec?: { template?: { metadata?: { annotations?: Record<string, string> } } };
}

function withSourceDir(object: KubeObject, folder: string): KubeObject {
  const { spec } = object as WithTemplate;
  const isServing = object.apiVersion.startsWith('serving.knative.dev/');
  if (!isServing || typeof spec?.template !== 'object' || spec.template === null) return object;
  const { metadata } = spec.template;
  const annotations = { [SOURCE_DIR_ANNOTATION]: folder, ...metadata?.annotations };
  const template = { ...spec.template, metadata: { ...metadata, annotations } };
  return { ...object, spec: { ...spec, template } } as KubeObject;
}

async function send(
  client: KubeClient,
  method: 'POST' | 'PATCH',
  path: string,
  body: unknown,
  contentType = 'application/json',
): Promise<KubeObject> {
  const query = `?fieldManager=${FIELD_MANAGER}&fieldValidation=Strict`;
  const response = await client.request(method, `${path}${query}`, { body, contentType });
  return JSON.parse(await readText(response.body)) as KubeObject;
}

export async function readText(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** One line per field the server named; the whole message at the object when it named none. */
function explain(error: ApiError, manifest: Manifest, kind: Kind): string[] {
  const { metadata } = manifest.object;
  const subject = `${resourceName(kind)} "${metadata.name}"`;
  const causes = (error.status.details?.causes ?? []).filter((cause) => cause.field !== undefined);
  if (causes.length > 0) {
    return causes.map(({ field = '', message = '' }) => {
      const line = manifest.lineOf(field);
      return `${manifest.file}:${line}: ${subject}: ${field}: ${message}`;
    });
  }
  const [field = 'metadata.name'] = fieldsIn(error.message);
  return [`${manifest.file}:${manifest.lineOf(field)}: ${subject}: ${error.message}`];
}
