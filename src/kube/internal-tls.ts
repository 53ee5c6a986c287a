// Certificates of traffic inside the system (ACT-117, ACT-120, ING-34): our own pair and CA from a
// Secret of the system namespace, further CAs from ConfigMaps labelled as trust bundles. Both are
// watched; whoever uses them is told of every change and keeps what it has when a pair is missing.
// A bundle without certificates is skipped with a warning. Not hot.

import type { ConfigMap, Secret } from '../api/core.ts';
import { ConfigMap as ConfigMapKind, Secret as SecretKind } from '../api/kinds.ts';
import { TRUST_BUNDLE_LABEL } from '../api/labels.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Informer, InformerFactory } from './types.ts';

/** Secret of the system namespace with `tls.crt`, `tls.key` and `ca.crt`. */
export const SERVING_CERTS_SECRET = 'routing-serving-certs';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface InternalTlsUser {
  /** The pair to serve with, now and at every change of it. Absent = who only dials needs none. */
  onCertificate?(pem: { cert: string; key: string }): void;
  /** PEM certificates to trust, now and at every change. */
  onTrust(certificates: readonly string[]): void;
}

export interface InternalTlsDeps {
  readonly informers: InformerFactory;
  readonly logger: Logger;
  readonly systemNamespace: string;
}

export class InternalTls {
  readonly #deps: InternalTlsDeps;
  readonly #user: InternalTlsUser;
  readonly #secrets: Informer<Secret>;
  readonly #configMaps: Informer<ConfigMap>;
  readonly #removeHandlers: (() => void)[] = [];
  #pair = '';
  #trust = '';

  constructor(user: InternalTlsUser, deps: InternalTlsDeps) {
    this.#deps = deps;
    this.#user = user;
    this.#secrets = deps.informers.informer<Secret>(SecretKind);
    this.#configMaps = deps.informers.informer<ConfigMap>(ConfigMapKind);
  }

  /** Rejects when a wanted pair is not there; the error names its Secret (ACT-117). */
  async start(): Promise<void> {
    await Promise.all([this.#secrets.whenSynced(), this.#configMaps.whenSynced()]);
    const { systemNamespace } = this.#deps;
    if (this.#user.onCertificate !== undefined && pairOf(this.#secret()) === null) {
      const name = `${systemNamespace}/${SERVING_CERTS_SECRET}`;
      throw new Error(`system-internal-tls: Secret ${name} with tls.crt and tls.key is missing`);
    }
    const isOurs = (object: Secret | ConfigMap | null): boolean =>
      object?.metadata.namespace === systemNamespace;
    this.#removeHandlers.push(
      this.#secrets.onChange((current, previous) => {
        const object = current ?? previous;
        if (isOurs(object) && object?.metadata.name === SERVING_CERTS_SECRET) this.#refresh();
      }),
      this.#configMaps.onChange((current, previous) => {
        if (isOurs(current ?? previous) && isBundle(current ?? previous)) this.#refresh();
      }),
    );
    this.#refresh();
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
  }

  #secret(): Secret | undefined {
    return this.#secrets.lister.get(this.#deps.systemNamespace, SERVING_CERTS_SECRET);
  }

  #refresh(): void {
    const secret = this.#secret();
    const pair = pairOf(secret);
    const seen = pair === null ? this.#pair : pair.cert + pair.key;
    if (pair !== null && seen !== this.#pair) {
      this.#pair = seen;
      this.#user.onCertificate?.(pair);
    }
    const certificates = [...firstOf(textOf(secret, 'ca.crt')), ...this.#bundles()];
    const trust = certificates.join('\n');
    if (trust === this.#trust) return;
    this.#trust = trust;
    this.#user.onTrust(certificates);
  }

  #bundles(): string[] {
    const found: string[] = [];
    for (const map of this.#configMaps.lister.list(this.#deps.systemNamespace)) {
      if (!isBundle(map)) continue;
      for (const [key, text] of Object.entries(map.data ?? {})) {
        const certificates = text.match(CERTIFICATE) ?? [];
        if (certificates.length === 0) {
          const { name } = map.metadata;
          this.#deps.logger.warn({ configMap: name, key }, 'trust bundle has no certificate');
        }
        found.push(...certificates);
      }
    }
    return found;
  }
}

function isBundle(map: ConfigMap | Secret | null): boolean {
  return map?.metadata.labels?.[TRUST_BUNDLE_LABEL] !== undefined;
}

/** Decoded value of a Secret's key; '' when absent. */
export function textOf(secret: Secret | undefined, key: string): string {
  return Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
}

/** The pair of a `kubernetes.io/tls` Secret; null when it is not whole. */
export function pairOf(secret: Secret | undefined): { cert: string; key: string } | null {
  const cert = textOf(secret, 'tls.crt');
  const key = textOf(secret, 'tls.key');
  return cert === '' || key === '' ? null : { cert, key };
}

function firstOf(pem: string): string[] {
  return (pem.match(CERTIFICATE) ?? []).slice(0, 1);
}
