// Certificates of the HTTPS listeners (ING-30 to ING-33): which hosts of which Ingress are served
// with which Secret, and the TLS context for a name a client asks for. A Secret that changes
// changes its context at once; one that breaks leaves the last good context in use (ING-31).
// Invariant: `contextFor` answers only for hosts of Ingresses that are served. Warm: once per
// handshake.

import { createSecureContext, type SecureContext } from 'node:tls';
import type { Secret } from '../api/core.ts';
import { objectKey } from '../api/objects.ts';
import { pairOf } from '../kube/internal-tls.ts';
import type { Informer } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Visibility } from './handler.ts';

/** One entry of `Ingress.spec.tls`, for one kind of listener. */
export interface CertificateUse {
  readonly visibility: Visibility;
  readonly hosts: readonly string[];
  /** `namespace/name` of the Secret. */
  readonly secret: string;
}

/** Hosts of one kind of listener: exact names, and the rest of wildcards behind `*.`. */
interface HostSecrets {
  readonly exact: Map<string, string>;
  readonly wildcard: Map<string, string>;
}

export interface CertificatesDeps {
  readonly secrets: Informer<Secret>;
  readonly logger: Logger;
  /** A Secret somebody may be waiting for has changed. */
  onChange(secret: string): void;
}

export class Certificates {
  readonly #deps: CertificatesDeps;
  /** By Secret; the last pair that could be used. */
  readonly #contexts = new Map<string, SecureContext>();
  /** By Ingress. */
  readonly #uses = new Map<string, readonly CertificateUse[]>();
  #hosts: Readonly<Record<Visibility, HostSecrets>> = { external: noHosts(), local: noHosts() };
  #removeHandler: (() => void) | null = null;

  constructor(deps: CertificatesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#removeHandler = this.#deps.secrets.onChange((current, previous) => {
      const object = current ?? previous;
      if (object === null) return;
      const key = objectKey(object);
      if (current !== null && this.#contexts.has(key)) this.#read(key, current);
      this.#deps.onChange(key);
    });
  }

  stop(): void {
    this.#removeHandler?.();
  }

  /** Why these cannot be served, for people; null when they can (ING-31). */
  problemOf(uses: readonly CertificateUse[]): string | null {
    for (const { secret } of uses) {
      const problem = this.#read(secret, this.#deps.secrets.lister.getByKey(secret));
      if (problem !== null) return problem;
    }
    return null;
  }

  /** From now on these are the Ingress' certificates. */
  use(ingress: string, uses: readonly CertificateUse[]): void {
    if (uses.length === 0 && !this.#uses.has(ingress)) return;
    if (uses.length === 0) this.#uses.delete(ingress);
    else this.#uses.set(ingress, uses);
    this.#rebuild();
  }

  /** ING-33: an exact name before a wildcard; null = no certificate, which ends the handshake. */
  contextFor(visibility: Visibility, serverName: string): SecureContext | null {
    const { exact, wildcard } = this.#hosts[visibility];
    const name = serverName.toLowerCase();
    const secret = exact.get(name) ?? wildcard.get(name.slice(name.indexOf('.') + 1));
    return secret === undefined ? null : (this.#contexts.get(secret) ?? null);
  }

  #read(key: string, secret: Secret | undefined): string | null {
    const pair = pairOf(secret);
    if (pair === null) return `Secret ${key} with tls.crt and tls.key is missing`;
    try {
      this.#contexts.set(key, createSecureContext(pair));
      return null;
    } catch (error) {
      this.#deps.logger.warn({ secret: key, error }, 'certificate not usable');
      return `Secret ${key} is not usable: ${(error as Error).message}`;
    }
  }

  #rebuild(): void {
    const hosts = { external: noHosts(), local: noHosts() };
    const used = new Set<string>();
    for (const uses of this.#uses.values()) {
      for (const { visibility, hosts: names, secret } of uses) {
        used.add(secret);
        for (const name of names) add(hosts[visibility], name.toLowerCase(), secret);
      }
    }
    this.#hosts = hosts;
    for (const key of this.#contexts.keys()) {
      if (!used.has(key)) this.#contexts.delete(key);
    }
  }
}

function noHosts(): HostSecrets {
  return { exact: new Map(), wildcard: new Map() };
}

function add(hosts: HostSecrets, name: string, secret: string): void {
  if (name.startsWith('*.')) hosts.wildcard.set(name.slice(2), secret);
  else hosts.exact.set(name, secret);
}
