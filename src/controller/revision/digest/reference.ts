// Image references as registries read them (CP-164): `[host/]path[:tag][@digest]`. Names without a
// host are Docker Hub's, its one-word names live under `library/`. Pure.

export const DEFAULT_REGISTRY = 'index.docker.io';
const DEFAULT_TAG = 'latest';

export interface ImageReference {
  /** Host, with its port if it has one. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  /** `sha256:…` when the reference says so; null = by tag. */
  readonly digest: string | null;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const REPOSITORY = /^[a-z0-9]+([._/-]+[a-z0-9]+)*$/;
const MAX_REPOSITORY_LENGTH = 255;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const HOST = /^(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)(:\d+)?$/;

/** Throws an Error that quotes the image. */
export function parseImageReference(image: string): ImageReference {
  const at = image.indexOf('@');
  const digest = at < 0 ? null : image.slice(at + 1);
  const named = at < 0 ? image : image.slice(0, at);
  const colon = named.lastIndexOf(':');
  const isTagged = colon > named.lastIndexOf('/');
  const name = isTagged ? named.slice(0, colon) : named;
  const tag = isTagged ? named.slice(colon + 1) : DEFAULT_TAG;
  const { registry, repository } = splitHost(name);
  const isSound =
    repository.length > 1 &&
    repository.length <= MAX_REPOSITORY_LENGTH &&
    REPOSITORY.test(repository) &&
    TAG.test(tag) &&
    HOST.test(registry) &&
    (digest === null || DIGEST.test(digest));
  if (!isSound) throw new Error(`could not parse reference: ${image}`);
  return { registry, repository, tag, digest };
}

function splitHost(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const registry = isHost ? normalHost(first) : DEFAULT_REGISTRY;
  const path = isHost ? name.slice(slash + 1) : name;
  const isShort = registry === DEFAULT_REGISTRY && !path.includes('/');
  return { registry, repository: isShort ? `library/${path}` : path };
}

/** Docker Hub is known by two names. */
export function normalHost(host: string): string {
  return host === 'docker.io' ? DEFAULT_REGISTRY : host;
}

/** Registries that are commonly run without TLS: it is tried first all the same. */
export function mayBePlain(registry: string): boolean {
  const host = registry.replace(/:\d+$/, '');
  if (host === 'localhost' || host === '[::1]' || /\.local(host)?$/.test(host)) return true;
  return /^(127|10)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\./.test(host);
}
