// TLS of a Route (CP-345 to CP-352): the Certificates of its public and cluster-local hosts, what
// the Ingress has to be told of them, which URLs are https, and condition CertificateProvisioned.

import { isTrueAnnotation } from '../../api/config/reader.ts';
import * as kinds from '../../api/kinds.ts';
import {
  CERTIFICATE_TYPE_LABEL,
  CLUSTER_LOCAL_DOMAIN_TYPE,
  DISABLE_EXTERNAL_DOMAIN_TLS_ANNOTATIONS,
  EXTERNAL_DOMAIN_TYPE,
  firstAnnotation,
  ROUTE_LABEL,
  WILDCARD_DOMAIN_LABEL,
} from '../../api/labels.ts';
import type { Certificate, Http01Challenge, IngressTls } from '../../api/networking.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Route } from '../../api/serving.ts';
import { messageOf, type OwnCopy } from '../../kube/status-pass.ts';
import { isNotFound, type Lister } from '../../kube/types.ts';
import {
  CertificateNotOwnedError,
  type CertificateWriter,
  certificateState,
  ensureCertificate,
  isRenewing,
  readyReason,
} from '../certificate/ensure.ts';
import type { ChildWriter } from '../ingress-apply.ts';
import { makeTls } from '../ingress-parts.ts';
import type { Pass } from '../pipeline.ts';
import type { GroupHost } from './domains.ts';
import {
  coveringWildcard,
  makeExternalCertificates,
  makeLocalCertificates,
} from './resources/certificate.ts';

const CONDITION = 'CertificateProvisioned';

/** What the rest of the pass needs to know. */
export interface RouteTlsOutcome {
  readonly tls: IngressTls[];
  /** Sorted by URL. */
  readonly challenges: Http01Challenge[];
  /** Hosts whose URL is https. */
  readonly httpsHosts: Set<string>;
}

/** CP-345, CP-415: the config map asks for it and the object does not refuse. */
export function wantsExternalTls({ metadata }: KubeObject, { config }: Pass): boolean {
  if (!config.network.externalDomainTls) return false;
  const refused = firstAnnotation(metadata.annotations, DISABLE_EXTERNAL_DOMAIN_TLS_ANNOTATIONS);
  return !isTrueAnnotation(refused);
}

export function markTlsNotEnabled({ conditions }: Pass): void {
  conditions.markTrue(CONDITION, 'TLSNotEnabled', 'external-domain-tls is not enabled');
}

export class RouteTls {
  readonly #writer: CertificateWriter;

  constructor(writer: ChildWriter, certificates: Lister<Certificate>) {
    this.#writer = { ...writer, certificates };
  }

  async reconcile(
    route: OwnCopy<Route>,
    hosts: readonly GroupHost[],
    pass: Pass,
  ): Promise<RouteTlsOutcome> {
    const outcome: RouteTlsOutcome = { tls: [], challenges: [], httpsHosts: new Set() };
    if (wantsExternalTls(route, pass)) await this.#external(route, hosts, pass, outcome);
    else markTlsNotEnabled(pass);
    if (pass.config.network.clusterLocalDomainTls) await this.#local(route, hosts, pass, outcome);
    outcome.challenges.sort((a, b) => (a.url < b.url ? -1 : 1));
    return outcome;
  }

  async #external(
    route: OwnCopy<Route>,
    hosts: readonly GroupHost[],
    pass: Pass,
    outcome: RouteTlsOutcome,
  ): Promise<void> {
    const wanted = makeExternalCertificates(route, hosts, pass.config);
    if (wanted.length === 0) {
      const message = 'TLS is not enabled for cluster-local';
      pass.conditions.markTrue(CONDITION, 'TLSNotEnabled', message);
      return;
    }
    const wildcards = this.#writer.certificates
      .list(route.metadata.namespace)
      .filter(({ metadata }) => metadata.labels?.[WILDCARD_DOMAIN_LABEL] !== undefined);
    for (const desired of wanted) {
      const covering = coveringWildcard(desired, wildcards);
      const live = covering ?? (await this.#ensure(route, desired, pass));
      observeExternal(live, desired.spec.dnsNames, pass, outcome);
    }
    await this.#deleteOrphans(route, EXTERNAL_DOMAIN_TYPE, wanted);
  }

  /** CP-352: never a downgrade. */
  async #local(
    route: OwnCopy<Route>,
    hosts: readonly GroupHost[],
    pass: Pass,
    outcome: RouteTlsOutcome,
  ): Promise<void> {
    const wanted = makeLocalCertificates(route, hosts, pass.config);
    for (const desired of wanted) {
      const live = await this.#ensure(route, desired, pass);
      const { dnsNames } = desired.spec;
      if (certificateState(live) === 'ready') {
        for (const name of dnsNames) outcome.httpsHosts.add(name);
        pass.conditions.markTrue(CONDITION);
        outcome.tls.push(tlsOf(live, dnsNames));
      } else markNotReady(live, pass);
    }
    await this.#deleteOrphans(route, CLUSTER_LOCAL_DOMAIN_TYPE, wanted);
  }

  async #ensure(route: OwnCopy<Route>, desired: Certificate, pass: Pass): Promise<Certificate> {
    try {
      return await ensureCertificate(this.#writer, route, desired);
    } catch (error) {
      const { name } = desired.metadata;
      if (error instanceof CertificateNotOwnedError) {
        const message = `There is an existing certificate ${name} that we don't own.`;
        pass.conditions.markFalse(CONDITION, 'CertificateNotOwned', message);
      } else {
        const message = `Certificate ${name} fails to be provisioned: ${messageOf(error)}`;
        pass.conditions.markFalse(CONDITION, 'CertificateProvisionFailed', message);
      }
      throw error;
    }
  }

  /** CP-350. */
  async #deleteOrphans(
    route: OwnCopy<Route>,
    type: string,
    wanted: readonly Certificate[],
  ): Promise<void> {
    const { client, recorder, certificates } = this.#writer;
    const { namespace, name } = route.metadata;
    const used = new Set(wanted.flatMap(({ spec }) => spec.dnsNames));
    for (const certificate of certificates.byLabel(ROUTE_LABEL, name)) {
      const { metadata, spec } = certificate;
      if (metadata.namespace !== namespace) continue;
      if (metadata.labels?.[CERTIFICATE_TYPE_LABEL] !== type) continue;
      if (spec.dnsNames.some((host) => used.has(host))) continue;
      const text = `orphaned Knative Certificate ${namespace}/${metadata.name}`;
      try {
        await client.delete(kinds.Certificate, { namespace, name: metadata.name });
        recorder.normal(certificate, 'Deleted', `Deleted ${text}`);
      } catch (error) {
        if (isNotFound(error)) continue;
        recorder.normal(certificate, 'DeleteFailed', `Failed to delete ${text}`);
      }
    }
  }
}

/** CP-348. */
function observeExternal(
  certificate: Certificate,
  dnsNames: readonly string[],
  pass: Pass,
  outcome: RouteTlsOutcome,
): void {
  const { conditions, config } = pass;
  const challenges = certificate.status?.http01Challenges ?? [];
  for (const name of dnsNames) outcome.httpsHosts.add(name);
  if (certificateState(certificate) === 'ready') {
    conditions.markTrue(CONDITION);
    outcome.tls.push(tlsOf(certificate, dnsNames));
    if (isRenewing(certificate)) outcome.challenges.push(...challenges);
    return;
  }
  outcome.challenges.push(...challenges);
  markNotReady(certificate, pass);
  if (config.network.httpProtocol !== 'enabled') return;
  for (const name of dnsNames) outcome.httpsHosts.delete(name);
  const message = `Certificate ${certificate.metadata.name} is not ready downgrade HTTP.`;
  conditions.markTrue(CONDITION, 'HTTPDowngrade', message);
}

function markNotReady(certificate: Certificate, { conditions }: Pass): void {
  const { name } = certificate.metadata;
  const reason = readyReason(certificate);
  if (certificateState(certificate) === 'failed') {
    const message = `Certificate ${name} fails to be provisioned: ${reason}`;
    conditions.markFalse(CONDITION, 'CertificateProvisionFailed', message);
  } else {
    const message = `Certificate ${name} is not ready: ${reason}`;
    conditions.markUnknown(CONDITION, 'CertificateNotReady', message);
  }
}

function tlsOf({ metadata, spec }: Certificate, hosts: readonly string[]): IngressTls {
  return makeTls(hosts, spec.secretName, metadata.namespace ?? '');
}
