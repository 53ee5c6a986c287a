// A small certificate authority: one self-signed CA and serving certificates under it, ECDSA P-256.
// The X.509 library is loaded only when something has to be issued, since loading costs a quarter
// of a second and a second start of the program finds its certificates on disk.

import { webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM texts; the private key is PKCS#8. */
export interface KeyPairPem {
  certificatePem: string;
  privateKeyPem: string;
}

export interface ServingCertificateRequest {
  commonName: string;
  /** Default: none. */
  organization?: string;
  /** DNS names and IP addresses the certificate is good for. */
  hosts: readonly string[];
  nowMs: number;
  validDays: number;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates start a little in the past, for clients whose clock is behind. */
const BACKDATE_MS = 60 * 60 * 1000;

type X509 = typeof import('@peculiar/x509');
let loaded: Promise<X509> | null = null;

function loadX509(): Promise<X509> {
  loaded ??= (async () => {
    await import('reflect-metadata');
    const x509 = await import('@peculiar/x509');
    x509.cryptoProvider.set(webcrypto);
    return x509;
  })();
  return loaded;
}

function toPem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

async function privateKeyToPem(key: webcrypto.CryptoKey): Promise<string> {
  return toPem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', key));
}

function privateKeyFromPem(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

function subjectOf(request: { commonName: string; organization?: string }): string {
  const { commonName, organization } = request;
  return organization === undefined ? `CN=${commonName}` : `O=${organization},CN=${commonName}`;
}

function newSerialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString('hex');
}

/** A self-signed CA, valid for `validDays` from an hour before `nowMs`. */
export async function createCertificateAuthority(request: {
  commonName: string;
  organization?: string;
  nowMs: number;
  validDays: number;
}): Promise<KeyPairPem> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: subjectOf(request),
    notBefore: new Date(request.nowMs - BACKDATE_MS),
    notAfter: new Date(request.nowMs + request.validDays * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: await privateKeyToPem(keys.privateKey),
  };
}

/** A serving certificate with a fresh key, signed by `authority`. */
export async function issueServingCertificate(
  authority: KeyPairPem,
  request: ServingCertificateRequest,
): Promise<KeyPairPem> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const names = request.hosts.map((host) =>
    isIP(host) === 0
      ? ({ type: 'dns', value: host } as const)
      : ({ type: 'ip', value: host } as const),
  );
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: subjectOf(request),
    issuer: issuer.subject,
    notBefore: new Date(request.nowMs - BACKDATE_MS),
    notAfter: new Date(request.nowMs + request.validDays * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await privateKeyFromPem(authority.privateKeyPem),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
      // Told apart from its authority by key: the two may bear the same subject.
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: await privateKeyToPem(keys.privateKey),
  };
}

/**
 * True when the certificate was signed by `authority`, names every host and has `minimumDays` left.
 */
export function isServingCertificateUsable(
  certificatePem: string,
  authorityPem: string,
  check: { hosts: readonly string[]; nowMs: number; minimumDays: number },
): boolean {
  const certificate = new X509Certificate(certificatePem);
  if (!certificate.verify(new X509Certificate(authorityPem).publicKey)) return false;
  if (Date.parse(certificate.validTo) < check.nowMs + check.minimumDays * DAY_MS) return false;
  return check.hosts.every((host) =>
    isIP(host) === 0
      ? certificate.checkHost(host) !== undefined
      : certificate.checkIP(host) !== undefined,
  );
}
