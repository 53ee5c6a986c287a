// TLS of a DomainMapping (CP-415): a Secret its author brings, a Certificate we ask for, or none.
// Marks condition CertificateProvisioned.

import type { Certificate, Http01Challenge, IngressTls } from '../../api/networking.ts';
import type { DomainMapping } from '../../api/serving.ts';
import {
  CertificateNotOwnedError,
  type CertificateWriter,
  certificateState,
  ensureCertificate,
} from '../certificate/ensure.ts';
import { makeTls } from '../ingress-parts.ts';
import type { Pass } from '../pipeline.ts';
import { markTlsNotEnabled, wantsExternalTls } from '../route/tls.ts';
import { makeDomainCertificate } from './resources/ingress.ts';

const CONDITION = 'CertificateProvisioned';

export interface DomainTls {
  readonly tls: readonly IngressTls[];
  readonly challenges: readonly Http01Challenge[];
  /** null = as `default-external-scheme` says. */
  readonly scheme: 'http' | 'https' | null;
}

export async function reconcileDomainTls(
  writer: CertificateWriter,
  mapping: DomainMapping,
  pass: Pass,
): Promise<DomainTls> {
  const { name, namespace = '' } = mapping.metadata;
  const provided = mapping.spec.tls?.secretName;
  if (provided !== undefined) {
    const message = 'TLS certificate was provided externally';
    pass.conditions.markTrue(CONDITION, 'CertificateExternallyProvided', message);
    const tls = [makeTls([name], provided, namespace)];
    return { tls, challenges: [], scheme: 'https' };
  }
  if (!wantsExternalTls(mapping, pass)) {
    markTlsNotEnabled(pass);
    return { tls: [], challenges: [], scheme: null };
  }
  return observe(await ensure(writer, mapping, pass), mapping, pass);
}

async function ensure(
  writer: CertificateWriter,
  mapping: DomainMapping,
  { config, conditions }: Pass,
): Promise<Certificate> {
  const desired = makeDomainCertificate(mapping, config);
  const { name } = desired.metadata;
  try {
    return await ensureCertificate(writer, mapping, desired);
  } catch (error) {
    if (error instanceof CertificateNotOwnedError) {
      const message = `There is an existing certificate ${name} that we don't own.`;
      conditions.markFalse(CONDITION, 'CertificateNotOwned', message);
    } else {
      const message = `Certificate ${name} failed to be provisioned.`;
      conditions.markFalse(CONDITION, 'CertificateProvisionFailed', message);
    }
    throw error;
  }
}

function observe(
  certificate: Certificate,
  mapping: DomainMapping,
  { config, conditions }: Pass,
): DomainTls {
  const { name, namespace = '' } = certificate.metadata;
  if (certificateState(certificate) === 'ready') {
    conditions.markTrue(CONDITION);
    const tls = [makeTls([mapping.metadata.name], certificate.spec.secretName, namespace)];
    return { tls, challenges: [], scheme: 'https' };
  }
  const found = certificate.status?.http01Challenges ?? [];
  const challenges = [...found].sort((a, b) => (a.url < b.url ? -1 : 1));
  if (config.network.httpProtocol === 'enabled') {
    const message = `Certificate ${name} is not ready downgrade HTTP.`;
    conditions.markTrue(CONDITION, 'HTTPDowngrade', message);
    return { tls: [], challenges, scheme: 'http' };
  }
  conditions.markUnknown(CONDITION, 'CertificateNotReady', `Certificate ${name} is not ready.`);
  return { tls: [], challenges, scheme: 'https' };
}
