// What a DomainMapping points at, as a host inside the cluster (CP-420). Kinds we keep in a cache
// are read from it; any other addressable kind is asked of the API, and asked again now and then,
// because nobody tells us when it changes.

import * as kinds from '../../api/kinds.ts';
import { serviceHostname } from '../../api/naming.ts';
import { joinKey, type KubeObject } from '../../api/objects.ts';
import type { DomainMapping, RouteStatusFields } from '../../api/serving.ts';
import { messageOf } from '../../kube/status-pass.ts';
import { type InformerFactory, isNotFound, type KubeClient } from '../../kube/types.ts';
import type { Pass } from '../pipeline.ts';

type Addressable = KubeObject & { status?: RouteStatusFields };

/** Where requests go: the host they are given, and the Service of its first label. */
export interface ResolvedReference {
  readonly host: string;
  readonly serviceName: string;
}

export interface ReferenceSources {
  readonly client: KubeClient;
  readonly informers: InformerFactory;
  readonly clusterDomain: string;
}

/** Kinds whose changes wake the DomainMapping (CP-11). */
export const TRACKED_KINDS: readonly kinds.Kind[] = [
  kinds.KnativeService,
  kinds.Route,
  kinds.CoreService,
];

/** The reference with its namespace filled in. */
export function referenceOf({ metadata, spec }: DomainMapping) {
  const { apiVersion = '', kind, name } = spec.ref;
  return { apiVersion, kind, name, namespace: spec.ref.namespace || (metadata.namespace ?? '') };
}

export function trackedKind(mapping: DomainMapping): kinds.Kind | undefined {
  const { apiVersion, kind } = referenceOf(mapping);
  return TRACKED_KINDS.find(
    (each) => each.kind === kind && kinds.apiVersionOf(each) === apiVersion,
  );
}

/** How the tracker names what DomainMappings refer to. */
export function domainReferenceKey(
  kind: kinds.Kind,
  namespace: string | undefined,
  name: string,
): string {
  return `${kinds.resourceName(kind)}/${joinKey(namespace, name)}`;
}

/** Marks ReferenceResolved; throws an Error with the same text when there is nothing to reach. */
export async function resolveReference(
  sources: ReferenceSources,
  mapping: DomainMapping,
  { conditions }: Pass,
): Promise<ResolvedReference> {
  const fail = (message: string, prefix = ''): Error => {
    conditions.markFalse('ReferenceResolved', 'ResolveFailed', message);
    return new Error(prefix + message);
  };
  let url: URL;
  try {
    url = await resolveUrl(sources, mapping);
  } catch (error) {
    throw fail(messageOf(error), 'resolving reference: ');
  }
  const text = url.pathname === '/' ? url.href.replace(/\/$/, '') : url.href;
  if (url.pathname !== '/') throw fail(`resolved URI "${text}" contains a path`);
  const suffix = `svc.${sources.clusterDomain}`;
  const [serviceName = '', namespace = '', ...rest] = url.host.split('.');
  if (serviceName === '' || rest.join('.') !== suffix) {
    throw fail(`resolved URI "${text}" must be of the form {name}.{namespace}.${suffix}`);
  }
  if (namespace !== mapping.metadata.namespace) {
    throw fail(`resolved URI "${text}" must be in same namespace as DomainMapping`);
  }
  conditions.markTrue('ReferenceResolved');
  return { host: url.host, serviceName };
}

async function resolveUrl(sources: ReferenceSources, mapping: DomainMapping): Promise<URL> {
  const { apiVersion, kind, name, namespace } = referenceOf(mapping);
  const object = await read(sources, mapping);
  if (apiVersion === 'v1' && kind === 'Service') {
    return new URL(`http://${serviceHostname(name, namespace, sources.clusterDomain)}`);
  }
  const words = `Kind = ${kind}, Namespace = ${namespace}, Name = ${name}, APIVersion = ${apiVersion}, Group = , Address = `;
  const address = object.status?.address;
  if (address === undefined) throw new Error(`address not set for ${words}`);
  if (!address.url) throw new Error(`URL missing in address of ${words}`);
  return new URL(address.url);
}

async function read(
  { client, informers }: ReferenceSources,
  mapping: DomainMapping,
): Promise<Addressable> {
  const { apiVersion, kind, name, namespace } = referenceOf(mapping);
  const tracked = trackedKind(mapping);
  const row = tracked ?? kinds.findKind(apiVersion, kind) ?? guessKind(apiVersion, kind);
  const missing = (): Error =>
    new Error(
      `failed to get object ${namespace}/${name}: ${kinds.resourceName(row)} "${name}" not found`,
    );
  if (tracked !== undefined) {
    const cached = informers.informer<Addressable>(tracked).lister.get(namespace, name);
    if (cached === undefined) throw missing();
    return cached;
  }
  try {
    return await client.get<Addressable>(row, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) throw missing();
    throw error;
  }
}

/** A kind we have no row for: its plural is formed as Kubernetes does when it has to guess. */
function guessKind(apiVersion: string, kind: string): kinds.Kind {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const singular = kind.toLowerCase();
  let plural = `${singular}s`;
  if (/s$|x$|ch$|sh$/.test(singular)) plural = `${singular}es`;
  else if (/[^aeiou]y$/.test(singular)) plural = `${singular.slice(0, -1)}ies`;
  const names = { group, version, kind, plural, singular, shortNames: [], categories: [] };
  return { ...names, namespaced: true, subresources: [], custom: true, columns: [] };
}
