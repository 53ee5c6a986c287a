// The version of an Ingress as probers see it (ING-50): SHA-256 over the canonical JSON of the
// spec, the namespace and the name. Member order and omissions follow the reference byte by byte,
// so an external prober that computes the hash by itself gets the same one.

import { createHash } from 'node:crypto';
import type { IngressPath, IngressRule, IngressSpec, IngressSplit } from '../api/networking.ts';

export function specHash(spec: IngressSpec, namespace: string, name: string): string {
  return createHash('sha256')
    .update(canonicalJson(spec) + namespace + name, 'utf8')
    .digest('hex');
}

/** ING-4: what the webhook fills in, for specs that never passed one. */
export function withDefaults(spec: IngressSpec): IngressSpec {
  return {
    ...spec,
    rules: (spec.rules ?? []).map((rule) => ({
      ...rule,
      visibility: rule.visibility === 'ClusterLocal' ? 'ClusterLocal' : 'ExternalIP',
      ...(rule.http && { http: { paths: rule.http.paths.map(withSoleSplit) } }),
    })),
  };
}

function withSoleSplit(path: IngressPath): IngressPath {
  const [only, ...others] = path.splits;
  if (only === undefined || others.length > 0 || (only.percent ?? 0) !== 0) return path;
  return { ...path, splits: [{ ...only, percent: 100 }] };
}

/** Exported for its test. */
export function canonicalJson(spec: IngressSpec): string {
  const ordered = {
    tls: nonEmpty(
      spec.tls?.map(({ hosts, secretName, secretNamespace }) => ({
        hosts: nonEmpty(hosts),
        secretName: secretName || undefined,
        secretNamespace: secretNamespace || undefined,
      })),
    ),
    rules: nonEmpty(spec.rules?.map(orderedRule)),
    httpOption: spec.httpOption || undefined,
  };
  return JSON.stringify(ordered).replace(/[<>&\u2028\u2029]/g, escapeCharacter);
}

function orderedRule(rule: IngressRule): object {
  return {
    hosts: nonEmpty(rule.hosts),
    visibility: rule.visibility || undefined,
    http: rule.http && { paths: rule.http.paths.map(orderedPath) },
  };
}

function orderedPath(path: IngressPath): object {
  return {
    path: path.path || undefined,
    rewriteHost: path.rewriteHost || undefined,
    headers: sortedMap(path.headers, ({ exact }) => ({ exact })),
    splits: path.splits.map(orderedSplit),
    appendHeaders: sortedMap(path.appendHeaders, (value) => value),
  };
}

function orderedSplit(split: IngressSplit): object {
  return {
    serviceNamespace: split.serviceNamespace,
    serviceName: split.serviceName,
    servicePort: split.servicePort,
    percent: split.percent || undefined,
    appendHeaders: sortedMap(split.appendHeaders, (value) => value),
  };
}

function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list !== undefined && list.length > 0 ? list : undefined;
}

function sortedMap<T>(
  map: Record<string, T> | undefined,
  convert: (value: T) => unknown,
): object | undefined {
  const names = Object.keys(map ?? {}).sort();
  if (map === undefined || names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, convert(map[name] as T)]));
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
