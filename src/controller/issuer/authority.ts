// The authority that signs Certificates of our own class. It lives in a Secret of the system
// namespace, made by whoever needs it first, so that every controller signs with the same one and a
// user can trust it once: `kubectl get secret pilotlight-ca -n knative-serving`.

import type { Secret } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import type { Clock } from '../../clock/clock.ts';
import { isNotFound, type KubeClient } from '../../kube/types.ts';
import { createCertificateAuthority, type KeyPairPem } from '../../pki/certificates.ts';
import { createOrGet } from '../children.ts';

export const AUTHORITY_SECRET = 'pilotlight-ca';
const AUTHORITY_VALID_DAYS = 3650;

export interface AuthorityDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly systemNamespace: string;
}

/** Loads the authority, creates it the first time; both at once for several callers. */
export class CertificateAuthority {
  readonly #deps: AuthorityDeps;
  #loading: Promise<KeyPairPem> | null = null;

  constructor(deps: AuthorityDeps) {
    this.#deps = deps;
  }

  load(): Promise<KeyPairPem> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = null;
      throw error;
    });
    return this.#loading;
  }

  /** The Secret changed: it is read again the next time. */
  forget(): void {
    this.#loading = null;
  }

  async #load(): Promise<KeyPairPem> {
    const { client, clock, systemNamespace: namespace } = this.#deps;
    try {
      const key = { namespace, name: AUTHORITY_SECRET };
      return readPair(await client.get<Secret>(kinds.Secret, key));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const made = await createCertificateAuthority({
      commonName: 'pilotlight-serving-ca',
      nowMs: clock.nowMs(),
      validDays: AUTHORITY_VALID_DAYS,
    });
    const desired = tlsSecret(namespace, AUTHORITY_SECRET, made, made.certificatePem);
    return readPair((await createOrGet(client, kinds.Secret, desired)).object);
  }
}

export function tlsSecret(
  namespace: string,
  name: string,
  pair: KeyPairPem,
  authorityPem: string,
): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    type: 'kubernetes.io/tls',
    data: {
      'tls.crt': toBase64(pair.certificatePem),
      'tls.key': toBase64(pair.privateKeyPem),
      'ca.crt': toBase64(authorityPem),
    },
  };
}

/** Throws an Error that names what the Secret lacks. */
export function readPair({ metadata, data }: Secret): KeyPairPem {
  const read = (key: string): string => {
    const text = data?.[key];
    if (!text) throw new Error(`secret ${metadata.namespace}/${metadata.name} has no "${key}"`);
    return Buffer.from(text, 'base64').toString('utf8');
  };
  return { certificatePem: read('tls.crt'), privateKeyPem: read('tls.key') };
}

function toBase64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
