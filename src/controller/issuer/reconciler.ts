// Certificate of class `pilotlight` -> Secret with a certificate signed by our own authority. What
// cert-manager does on clusters that have it; here so that https works where nothing else issues.
// A certificate with less than a third of its life left is replaced in place.

import { X509Certificate } from 'node:crypto';
import { CONDITION_SETS, READY } from '../../api/conditions.ts';
import type { Secret } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import {
  CERTIFICATE_CLASS_ANNOTATIONS,
  firstAnnotation,
  PILOTLIGHT_CERTIFICATE_CLASS,
} from '../../api/labels.ts';
import type { Certificate } from '../../api/networking.ts';
import { controllerReference } from '../../api/objects.ts';
import { EventRecorder } from '../../kube/events.ts';
import type { OwnCopy } from '../../kube/status-pass.ts';
import {
  isNotFound,
  type Lister,
  type ReconcileResult,
  type Reconciler,
} from '../../kube/types.ts';
import {
  isServingCertificateUsable,
  issueServingCertificate,
  type KeyPairPem,
} from '../../pki/certificates.ts';
import { isControlledBy } from '../children.ts';
import { type ControllerContext, timestamp } from '../context.ts';
import { type Pass, StatusPipeline } from '../pipeline.ts';
import { CertificateAuthority, readPair, tlsSecret } from './authority.ts';

const VALID_DAYS = 90;
const RENEW_BELOW_DAYS = 30;
const DAY_MS = 86_400_000;

export function isPilotlightCertificate({ metadata }: Certificate): boolean {
  const given = firstAnnotation(metadata.annotations, CERTIFICATE_CLASS_ANNOTATIONS);
  return given === PILOTLIGHT_CERTIFICATE_CLASS;
}

export class IssuerReconciler {
  readonly #context: ControllerContext;
  readonly #authority: CertificateAuthority;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#authority = new CertificateAuthority(context);
  }

  async reconcileKind(certificate: OwnCopy<Certificate>, pass: Pass): Promise<ReconcileResult> {
    const authority = await this.#authority.load();
    const pair = await this.#reconcileSecret(certificate, authority, pass);
    const notAfterMs = Date.parse(new X509Certificate(pair.certificatePem).validTo);
    certificate.status.notAfter = timestamp(notAfterMs);
    delete certificate.status.http01Challenges;
    pass.conditions.markTrue(READY);
    return {
      requeueAfterMs: Math.max(DAY_MS, notAfterMs - RENEW_BELOW_DAYS * DAY_MS - pass.nowMs),
    };
  }

  /** Resolves with what the Secret holds afterwards. */
  async #reconcileSecret(
    certificate: OwnCopy<Certificate>,
    authority: KeyPairPem,
    pass: Pass,
  ): Promise<KeyPairPem> {
    const { client } = this.#context;
    const { dnsNames, secretName } = certificate.spec;
    const { namespace = '' } = certificate.metadata;
    const live = await this.#readSecret(namespace, secretName);
    if (live !== null && !isControlledBy(live, certificate)) {
      const message = `There is an existing Secret "${secretName}" that we do not own.`;
      pass.conditions.markFalse(READY, 'NotOwned', message);
      const { name } = certificate.metadata;
      throw new Error(`certificate: "${name}" does not own Secret: "${secretName}"`);
    }
    const kept = live === null ? null : usablePair(live, authority, dnsNames, pass.nowMs);
    if (kept !== null) return kept;
    const made = await issueServingCertificate(authority, {
      // Longer ones are not allowed; clients read the alternative names.
      commonName: (dnsNames[0] ?? '').slice(0, 64),
      hosts: dnsNames,
      nowMs: pass.nowMs,
      validDays: VALID_DAYS,
    });
    const desired = tlsSecret(namespace, secretName, made, authority.certificatePem);
    desired.metadata.ownerReferences = [controllerReference(certificate)];
    if (live === null) await client.create(kinds.Secret, desired);
    else await client.update(kinds.Secret, { ...live, data: desired.data ?? {} });
    return made;
  }

  async #readSecret(namespace: string, name: string): Promise<Secret | null> {
    try {
      return await this.#context.client.get<Secret>(kinds.Secret, { namespace, name });
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }
}

/** null = it has to be issued again: damaged, foreign, too old, or for other names. */
function usablePair(
  secret: Secret,
  authority: KeyPairPem,
  hosts: readonly string[],
  nowMs: number,
): KeyPairPem | null {
  try {
    const pair = readPair(secret);
    const check = { hosts: hosts.map(probeName), nowMs, minimumDays: RENEW_BELOW_DAYS };
    const { certificatePem } = authority;
    return isServingCertificateUsable(pair.certificatePem, certificatePem, check) ? pair : null;
  } catch {
    return null; // Not PEM, or a member is missing.
  }
}

/** A wildcard is asked for by a name that it covers. */
function probeName(host: string): string {
  return host.startsWith('*.') ? `x${host.slice(1)}` : host;
}

export function createIssuerReconciler(context: ControllerContext): {
  reconciler: Reconciler;
  recorder: EventRecorder;
} {
  const recorder = new EventRecorder({ ...context, component: 'certificate-controller' });
  const kind = new IssuerReconciler(context);
  const { lister } = context.informers.informer<Certificate>(kinds.Certificate);
  const reconciler = new StatusPipeline<Certificate>(context, {
    kind: kinds.Certificate,
    conditionSet: CONDITION_SETS.Certificate,
    lister: onlyOurs(lister),
    recorder,
    reconcileKind: (certificate, pass) => kind.reconcileKind(certificate, pass),
  });
  return { reconciler, recorder };
}

/** Certificates of other classes belong to other controllers. */
function onlyOurs(lister: Lister<Certificate>): Pick<Lister<Certificate>, 'getByKey'> {
  return {
    getByKey(key) {
      const found = lister.getByKey(key);
      return found !== undefined && isPilotlightCertificate(found) ? found : undefined;
    },
  };
}
