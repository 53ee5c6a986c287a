// The certificates of the webhook (WH-3): CA, serving certificate and key in one Secret that every
// replica serves from and only the leader writes. Here is what a Secret must hold to be usable and
// how a new set is made; who writes it, and when, is in registration.ts.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Secret } from '../api/core.ts';
import { createCertificateAuthority, issueServingCertificate } from '../pki/certificates.ts';

export const SECRET_NAME = 'webhook-certs';
export const SERVER_KEY = 'server-key.pem';
export const SERVER_CERTIFICATE = 'server-cert.pem';
export const AUTHORITY_CERTIFICATE = 'ca-cert.pem';

const VALID_DAYS = 7;
const ORGANIZATION = 'knative.dev';
/** Renewed when less than this is left. */
export const RENEW_BELOW_MS = 24 * 60 * 60 * 1000;

/** Names the webhook is called by; the third one is what the API server asks for. */
export interface ServiceNames {
  readonly service: string;
  readonly namespace: string;
  readonly clusterDomain: string;
}

/** PEM texts. */
export interface CertificateSet {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

export function hostsOf({ service, namespace, clusterDomain }: ServiceNames): string[] {
  const qualified = `${service}.${namespace}`;
  return [service, qualified, `${qualified}.svc`, `${qualified}.svc.${clusterDomain}`];
}

/** null where a key is missing. */
export function readCertificates(secret: Secret | undefined): CertificateSet | null {
  const read = (key: string): string =>
    Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
  const set = {
    authority: read(AUTHORITY_CERTIFICATE),
    certificate: read(SERVER_CERTIFICATE),
    key: read(SERVER_KEY),
  };
  return Object.values(set).includes('') ? null : set;
}

/** Unix time in ms until which `set` may serve under these names; 0 = it cannot be used at all. */
export function usableUntilMs(set: CertificateSet | null, names: ServiceNames): number {
  if (set === null) return 0;
  try {
    const certificate = new X509Certificate(set.certificate);
    const authority = new X509Certificate(set.authority);
    const isOurs =
      certificate.checkPrivateKey(createPrivateKey(set.key)) &&
      certificate.verify(authority.publicKey) &&
      hostsOf(names).every((host) => certificate.checkHost(host) !== undefined);
    if (!isOurs) return 0;
    return Math.min(Date.parse(certificate.validTo), Date.parse(authority.validTo));
  } catch {
    return 0; // Not PEM, or not a certificate: as good as missing.
  }
}

/** A new authority and a certificate under it, valid for 7 days from `nowMs`. */
export async function createCertificates(
  names: ServiceNames,
  nowMs: number,
): Promise<CertificateSet> {
  const common = {
    commonName: `${names.service}.${names.namespace}.svc`,
    organization: ORGANIZATION,
    nowMs,
    validDays: VALID_DAYS,
  };
  const authority = await createCertificateAuthority(common);
  const serving = await issueServingCertificate(authority, { ...common, hosts: hostsOf(names) });
  return {
    authority: authority.certificatePem,
    certificate: serving.certificatePem,
    key: serving.privateKeyPem,
  };
}

/** `secret` with `set` in it; other keys stay. */
export function withCertificates(secret: Secret, set: CertificateSet): Secret {
  const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  const data = {
    ...secret.data,
    [SERVER_KEY]: encode(set.key),
    [SERVER_CERTIFICATE]: encode(set.certificate),
    [AUTHORITY_CERTIFICATE]: encode(set.authority),
  };
  return { ...secret, data };
}
