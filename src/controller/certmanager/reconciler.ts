// Certificate of cert-manager's class -> cert-manager Certificate, and its state back (CP-460 to
// CP-464). Runs only where the API has cert-manager's kinds.

import { CONDITION_SETS, findCondition, READY } from '../../api/conditions.ts';
import type { CoreService } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import {
  CERT_MANAGER_CLASS,
  CERTIFICATE_CLASS_ANNOTATIONS,
  firstAnnotation,
} from '../../api/labels.ts';
import { adler32 } from '../../api/naming.ts';
import type { Certificate, Http01Challenge } from '../../api/networking.ts';
import { objectKey } from '../../api/objects.ts';
import { deepEqual } from '../../kube/equal.ts';
import { EventRecorder } from '../../kube/events.ts';
import type { OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, Reconciler } from '../../kube/types.ts';
import { createOrGet, isControlledBy } from '../children.ts';
import { type ControllerContext, timestamp } from '../context.ts';
import { type Pass, StatusPipeline, wrapError } from '../pipeline.ts';
import type { ReferenceTracker } from '../tracker.ts';
import { CertificateSpecError, makeIssuedCertificate, SHORT_PREFIX } from './certificate.ts';
import {
  Challenge,
  type ChallengeObject,
  ClusterIssuer,
  type ClusterIssuerObject,
  IssuedCertificate,
  type IssuedCertificateObject,
} from './kinds.ts';

export const HTTP_DOMAIN_LABEL = 'acme.cert-manager.io/http-domain';
/** cert-manager is still at it: no failure yet. */
const TRANSIENT_REASONS = new Set(['InProgress', 'Pending', 'TemporaryCertificate']);
const RENEWING = 'Renewing';

type OwnCertificate = OwnCopy<Certificate>;

export function isCertManagerCertificate({ metadata }: Certificate): boolean {
  const given = firstAnnotation(metadata.annotations, CERTIFICATE_CLASS_ANNOTATIONS);
  return given === CERT_MANAGER_CLASS;
}

export class CertManagerReconciler {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #tracker: ReferenceTracker;
  readonly #issued: Lister<IssuedCertificateObject>;
  readonly #services: Lister<CoreService>;

  constructor(context: ControllerContext, recorder: EventRecorder, tracker: ReferenceTracker) {
    const { informers } = context;
    this.#context = context;
    this.#recorder = recorder;
    this.#tracker = tracker;
    this.#issued = informers.informer<IssuedCertificateObject>(IssuedCertificate).lister;
    this.#services = informers.informer<CoreService>(kinds.CoreService).lister;
  }

  async reconcileKind(certificate: OwnCertificate, pass: Pass): Promise<undefined> {
    try {
      await this.#reconcile(certificate, pass);
    } catch (error) {
      if (pass.conditions.get(READY)?.status !== 'False') {
        const message = 'Cert-Manager certificate has not yet been reconciled.';
        pass.conditions.markUnknown(READY, 'ReconcileFailed', message);
      }
      throw error;
    }
  }

  async #reconcile(certificate: OwnCertificate, pass: Pass): Promise<void> {
    const desired = this.#desired(certificate, pass);
    const issued = await this.#apply(certificate, desired, pass);
    const { status } = certificate;
    if (issued.status?.notAfter === undefined) delete status.notAfter;
    else status.notAfter = issued.status.notAfter;
    if (!observe(issued, certificate, pass)) {
      delete status.http01Challenges;
      return;
    }
    const challenges = await this.#challenges(certificate, issued);
    if (challenges.length === 0) delete status.http01Challenges;
    else status.http01Challenges = challenges;
  }

  #desired(certificate: OwnCertificate, { config, conditions }: Pass): IssuedCertificateObject {
    try {
      return makeIssuedCertificate(certificate, config.certmanager);
    } catch (error) {
      if (error instanceof CertificateSpecError) {
        conditions.markFalse(READY, error.reason, error.message);
      }
      throw error;
    }
  }

  async #apply(
    certificate: OwnCertificate,
    desired: IssuedCertificateObject,
    { conditions }: Pass,
  ): Promise<IssuedCertificateObject> {
    const { client } = this.#context;
    const { namespace, name } = desired.metadata;
    let live = this.#issued.get(namespace, name);
    if (live === undefined) {
      const made = await createOrGet(client, IssuedCertificate, desired);
      const text = `Created Cert-Manager Certificate ${namespace}/${name}`;
      if (made.created) this.#recorder.normal(certificate, 'Created', text);
      live = made.object;
    }
    if (!isControlledBy(live, certificate)) {
      const message = `There is an existing cert-manager Certificate ${name} that we do not own.`;
      conditions.markFalse(READY, 'NotOwned', message);
      throw new Error(`knative Certificate ${name} does not own cert-manager Certificate ${name}`);
    }
    if (deepEqual(live.spec, desired.spec)) return live;
    try {
      return await client.update(IssuedCertificate, { ...live, spec: desired.spec });
    } catch (error) {
      throw wrapError('failed to update Cert-Manager Certificate', error);
    }
  }

  /** CP-464. */
  async #challenges(
    certificate: OwnCertificate,
    issued: IssuedCertificateObject,
  ): Promise<Http01Challenge[]> {
    if (!(await this.#usesHttp01(issued))) return [];
    const { namespace } = certificate.metadata;
    const wanted = issued.spec.dnsNames.map((name) => [name, String(adler32(name))] as const);
    const selectors = wanted.map(([, sum]) => `${namespace}/${sum}`);
    this.#tracker.track(objectKey(certificate), selectors);
    const challenges: Http01Challenge[] = [];
    for (const [dnsName, sum] of wanted) {
      const services = this.#services
        .byLabel(HTTP_DOMAIN_LABEL, sum)
        .filter(({ metadata }) => metadata.namespace === namespace);
      if (services.length === 0) {
        if (dnsName.startsWith(SHORT_PREFIX)) continue;
        const selector = `${HTTP_DOMAIN_LABEL}=${sum}`;
        throw new Error(`no challenge solver service for domain ${dnsName}; selector=${selector}`);
      }
      for (const service of services) challenges.push(await this.#challengeOf(service));
    }
    return challenges;
  }

  async #usesHttp01({ spec }: IssuedCertificateObject): Promise<boolean> {
    const { kind, name = '' } = spec.issuerRef;
    if (kind !== ClusterIssuer.kind) return false;
    const issuer = await this.#context.client.get<ClusterIssuerObject>(ClusterIssuer, { name });
    return issuer.spec?.acme?.solvers?.[0]?.http01 !== undefined;
  }

  async #challengeOf({ metadata, spec }: CoreService): Promise<Http01Challenge> {
    const { namespace, name: serviceName } = metadata;
    const name = metadata.ownerReferences?.[0]?.name ?? '';
    const found = await this.#context.client.get<ChallengeObject>(Challenge, { namespace, name });
    const { dnsName, token } = found.spec;
    return {
      url: `http://${dnsName}/.well-known/acme-challenge/${token}`,
      serviceName,
      serviceNamespace: namespace ?? '',
      servicePort: spec.ports?.[0]?.targetPort ?? 0,
    };
  }
}

/** CP-463: true when challenges are still wanted. */
function observe(
  issued: IssuedCertificateObject,
  { status }: OwnCertificate,
  { conditions, nowMs }: Pass,
): boolean {
  const ready = findCondition(issued, READY);
  if (ready === undefined) {
    const message = 'The ready condition of Cert Manager Certificate does not exist.';
    conditions.markUnknown(READY, 'NoCertManagerCertCondition', message);
    return true;
  }
  const { reason = '', message = '' } = ready;
  if (ready.status === 'Unknown' || (ready.status === 'False' && TRANSIENT_REASONS.has(reason))) {
    conditions.markUnknown(READY, reason, message);
    return true;
  }
  if (ready.status === 'False') {
    conditions.markFalse(READY, reason, message);
    return true;
  }
  const renewalMs = Date.parse(issued.status?.renewalTime ?? '');
  const isRenewing = renewalMs <= nowMs;
  const others = (status.conditions ?? []).filter(({ type }) => type !== RENEWING);
  const before = status.conditions?.find(({ type }) => type === RENEWING);
  status.conditions = isRenewing ? [...others, before ?? renewing(nowMs)] : others;
  if (!isRenewing) conditions.markTrue(READY);
  return isRenewing;
}

function renewing(nowMs: number) {
  const lastTransitionTime = timestamp(nowMs);
  return { type: RENEWING, status: 'True' as const, lastTransitionTime };
}

export function createCertManagerReconciler(
  context: ControllerContext,
  tracker: ReferenceTracker,
): { reconciler: Reconciler; recorder: EventRecorder } {
  const recorder = new EventRecorder({ ...context, component: 'certificate-controller' });
  const kind = new CertManagerReconciler(context, recorder, tracker);
  const { lister } = context.informers.informer<Certificate>(kinds.Certificate);
  const reconciler = new StatusPipeline<Certificate>(context, {
    kind: kinds.Certificate,
    conditionSet: CONDITION_SETS.Certificate,
    lister: {
      getByKey(key) {
        const found = lister.getByKey(key);
        return found !== undefined && isCertManagerCertificate(found) ? found : undefined;
      },
    },
    recorder,
    reconcileKind: (certificate, pass) => kind.reconcileKind(certificate, pass),
    forget: (key) => tracker.forget(key),
  });
  return { reconciler, recorder };
}
