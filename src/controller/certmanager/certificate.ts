// The cert-manager Certificate for one of ours (CP-460 to CP-462). Pure.

import {
  type CertManagerConfig,
  type IssuerReference,
  issuerKeyOf,
} from '../../api/config/certmanager.ts';
import { apiVersionOf } from '../../api/kinds.ts';
import { CERTIFICATE_TYPE_LABEL, CERTIFICATE_UID_LABEL } from '../../api/labels.ts';
import type { Certificate } from '../../api/networking.ts';
import { controllerReference } from '../../api/objects.ts';
import { mapMembers } from '../children.ts';
import { IssuedCertificate, type IssuedCertificateObject } from './kinds.ts';

/** X.509 allows 64; cert-manager stays below. */
const MAX_COMMON_NAME = 63;
export const SHORT_PREFIX = 'k.';
const ERROR_PREFIX = 'error creating cert-manager certificate: ';

/** Why none can be asked for: what the condition says. */
export class CertificateSpecError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(ERROR_PREFIX + message);
    this.reason = reason;
  }
}

/** Throws CertificateSpecError. */
export function makeIssuedCertificate(
  certificate: Certificate,
  config: CertManagerConfig,
): IssuedCertificateObject {
  const { metadata, spec } = certificate;
  const commonName = commonNameOf(certificate);
  const isShortened = commonName !== spec.dnsNames[0];
  return {
    apiVersion: apiVersionOf(IssuedCertificate),
    kind: IssuedCertificate.kind,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      ...mapMembers({ labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} }),
      ownerReferences: [controllerReference(certificate)],
    },
    spec: {
      commonName,
      dnsNames: isShortened ? [commonName, ...spec.dnsNames] : spec.dnsNames,
      secretName: spec.secretName,
      issuerRef: issuerOf(metadata.labels?.[CERTIFICATE_TYPE_LABEL], config),
      secretTemplate: { labels: { [CERTIFICATE_UID_LABEL]: metadata.uid ?? '' } },
    },
  };
}

/** CP-461. */
function commonNameOf({ spec }: Certificate): string {
  const [name = ''] = spec.dnsNames;
  if (name.length <= MAX_COMMON_NAME) return name;
  const { domain = '' } = spec;
  const tooLong = (message: string): Error =>
    new CertificateSpecError('CommonName Too Long', message);
  if (domain === '') {
    throw tooLong(
      `CommonName (${name}) too long and field spec.Domain on Kcert is empty, cannot attempt to shorten`,
    );
  }
  if (domain === name) throw tooLong(`CommonName (${name}) longer than 63 characters`);
  if (domain.length > MAX_COMMON_NAME - SHORT_PREFIX.length) {
    const [length, prefix] = [domain.length, SHORT_PREFIX.length];
    throw tooLong(
      `CommonName (${domain})(length: ${length}) too long, prepending short prefix of (${SHORT_PREFIX})(length: ${prefix}) will be longer than 64 bytes`,
    );
  }
  return SHORT_PREFIX + domain;
}

/** CP-462. */
function issuerOf(type: string | undefined, { issuers }: CertManagerConfig): IssuerReference {
  const key = issuerKeyOf(type);
  if (key === undefined) {
    throw new CertificateSpecError(
      'certificate type invalid',
      `certificate type ${type} is invalid`,
    );
  }
  const issuer = issuers[key];
  if (issuer === null) {
    throw new CertificateSpecError(`${key} not set`, `${key} was not set in config-certmanager`);
  }
  return issuer;
}
