// Names of objects derived from other objects (CP-60 to CP-62). Names fit Kubernetes' 63
// characters; a parent too long to fit is shortened and made unique by its MD5. Pure.

import { createHash } from 'node:crypto';

const MAX_NAME_LENGTH = 63;
const MD5_HEX_LENGTH = 32;
const HEAD_LENGTH = MAX_NAME_LENGTH - MD5_HEX_LENGTH;

/** CP-60. */
export function childName(parent: string, suffix: string): string {
  if (parent.length <= MAX_NAME_LENGTH - suffix.length) return parent + suffix;
  if (suffix.length < HEAD_LENGTH) {
    return parent.slice(0, HEAD_LENGTH - suffix.length) + md5Hex(parent) + suffix;
  }
  const head = parent.slice(0, HEAD_LENGTH) + md5Hex(parent + suffix);
  const name = head + suffix.slice(0, MAX_NAME_LENGTH - head.length);
  return name.replace(/[^a-zA-Z0-9]+$/, '');
}

function md5Hex(text: string): string {
  return createHash('md5').update(text, 'utf8').digest('hex');
}

/** Name of a Revision that its template does not name. */
export function generatedRevisionName(configuration: string, generation: number): string {
  return childName(configuration, `-${String(generation).padStart(5, '0')}`);
}

export function deploymentName(revision: string): string {
  return childName(revision, '-deployment');
}

/** The Service whose Endpoints list the Revision's own pods. */
export function privateServiceName(revision: string): string {
  return childName(revision, '-private');
}

export function ingressName(route: string): string {
  return childName(route, '');
}

/** `<name>.<namespace>.svc.<clusterDomain>` (CP-8). */
export function serviceHostname(name: string, namespace: string, clusterDomain: string): string {
  return `${name}.${namespace}.svc.${clusterDomain}`;
}

/** The names a host inside the cluster is called by, sorted: `h.ns`, `h.ns.svc`, all of it. */
export function clusterLocalHosts(host: string): string[] {
  const service = host.slice(0, host.indexOf('.svc.') + '.svc'.length);
  return [service.slice(0, -'.svc'.length), service, host].sort();
}

/** Adler-32 of the UTF-8 bytes, unsigned; part of certificate names (CP-62). */
export function adler32(text: string): number {
  const modulus = 65_521;
  let a = 1;
  let b = 0;
  for (const byte of new TextEncoder().encode(text)) {
    a = (a + byte) % modulus;
    b = (b + a) % modulus;
  }
  return b * 65_536 + a;
}
