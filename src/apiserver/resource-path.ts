// Takes a request path apart: group, version, namespace, resource, name, subresource. Pure. What is
// not of this form (or names nothing we serve) is answered `404 page not found` as plain text, by
// which clients tell a missing API from a missing object (KN-101).

import type { Kind } from '../api/kinds.ts';
import type { KindRegistry } from './kind-registry.ts';
import { badRequest } from './status-error.ts';

export interface ResourcePath {
  kind: Kind;
  /** `''` for cluster-scoped kinds and for all namespaces. */
  namespace: string;
  /** `''` for the collection. */
  name: string;
  /** `''` for the object itself. */
  subresource: string;
  /** What follows the subresource, with its leading slash; only proxies have it. */
  rest: string;
}

/**
 * Subresources that exist on a Namespace, where the path is otherwise that of a namespaced
 * resource.
 */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

function decodeSegments(path: string): string[] {
  if (!path.includes('%')) return path.split('/');
  try {
    return path.split('/').map((segment) => decodeURIComponent(segment));
  } catch {
    throw badRequest('the path is not valid percent-encoding'); // URIError has nothing to add
  }
}

/** null = no such resource. `path` starts with `/` and has no query. */
export function parseResourcePath(registry: KindRegistry, path: string): ResourcePath | null {
  const segments = decodeSegments(path.slice(1));
  const isCore = segments[0] === 'api';
  if (!isCore && segments[0] !== 'apis') return null;
  const group = isCore ? '' : (segments[1] ?? '');
  const version = segments[isCore ? 1 : 2] ?? '';
  let rest = segments.slice(isCore ? 2 : 3);
  let namespace = '';
  const isNamespaced =
    rest[0] === 'namespaces' && rest.length > 2 && !NAMESPACE_SUBRESOURCES.has(rest[2] ?? '');
  if (isNamespaced) {
    namespace = rest[1] ?? '';
    rest = rest.slice(2);
  }
  if (rest.length > 1 && rest[rest.length - 1] === '' && rest.length <= 2) rest = rest.slice(0, -1);
  const kind = registry.byPlural(group, version, rest[0] ?? '');
  if (kind === undefined || (isNamespaced && !kind.namespaced)) return null;
  const [, name = '', subresource = '', ...tail] = rest;
  if (kind.namespaced && namespace === '' && name !== '') return null;
  return {
    kind,
    namespace,
    name,
    subresource,
    rest: tail.length === 0 ? '' : `/${tail.map(encodeURIComponent).join('/')}`,
  };
}
