// DomainMapping -> ClusterDomainClaim, Certificate and Ingress (CP-410): a host name of the user's
// own for something that has an address inside the cluster. The first step that fails ends the
// pass; what was programmed before stays.

import { CONDITION_SETS } from '../../api/conditions.ts';
import * as kinds from '../../api/kinds.ts';
import { DOMAIN_MAPPING_FINALIZER } from '../../api/labels.ts';
import { ingressName } from '../../api/naming.ts';
import type { Certificate, ClusterDomainClaim, Ingress } from '../../api/networking.ts';
import { objectKey } from '../../api/objects.ts';
import type { DomainMapping } from '../../api/serving.ts';
import { EventRecorder } from '../../kube/events.ts';
import type { OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../../kube/types.ts';
import type { CertificateWriter } from '../certificate/ensure.ts';
import type { ControllerContext } from '../context.ts';
import {
  createIngress,
  markIngressNotConfigured,
  propagateIngress,
  updateIngress,
} from '../ingress-apply.ts';
import { type Pass, StatusPipeline } from '../pipeline.ts';
import type { ReferenceTracker } from '../tracker.ts';
import { claimDomain, releaseDomain } from './claim.ts';
import { domainReferenceKey, referenceOf, resolveReference, trackedKind } from './reference.ts';
import { type DomainIngressInputs, makeDomainIngress } from './resources/ingress.ts';
import { type DomainTls, reconcileDomainTls } from './tls.ts';

/** How often an object of a kind we have no cache of is looked at again. */
const FOREIGN_KIND_INTERVAL_MS = 30_000;

type OwnMapping = OwnCopy<DomainMapping>;

export class DomainMappingReconciler {
  readonly #context: ControllerContext;
  readonly #tracker: ReferenceTracker;
  readonly #writer: CertificateWriter;
  readonly #claims: Lister<ClusterDomainClaim>;
  readonly #ingresses: Lister<Ingress>;

  constructor(context: ControllerContext, recorder: EventRecorder, tracker: ReferenceTracker) {
    const { client, informers } = context;
    this.#context = context;
    this.#tracker = tracker;
    const certificates = informers.informer<Certificate>(kinds.Certificate).lister;
    this.#writer = { client, recorder, certificates };
    this.#claims = informers.informer<ClusterDomainClaim>(kinds.ClusterDomainClaim).lister;
    this.#ingresses = informers.informer<Ingress>(kinds.Ingress).lister;
  }

  async reconcileKind(mapping: OwnMapping, pass: Pass): Promise<ReconcileResult | undefined> {
    const { conditions, config } = pass;
    if (mapping.metadata.generation !== mapping.status.observedGeneration) {
      markIngressNotConfigured(conditions);
    }
    setUrl(mapping, config.network.defaultExternalScheme);
    const isForeign = this.#track(mapping);
    await claimDomain({ ...this.#context, claims: this.#claims }, mapping, pass);
    const tls = await reconcileDomainTls(this.#writer, mapping, pass);
    if (tls.scheme !== null) setUrl(mapping, tls.scheme);
    const target = await resolveReference(this.#context, mapping, pass);
    const ingress = await this.#reconcileIngress({ mapping, target, config, ...urlLess(tls) });
    propagateIngress(ingress, conditions);
    return isForeign ? { requeueAfterMs: FOREIGN_KIND_INTERVAL_MS } : undefined;
  }

  async clean(mapping: DomainMapping, isAutocreated: boolean): Promise<void> {
    await releaseDomain({ ...this.#context, claims: this.#claims }, mapping, isAutocreated);
  }

  /** True when nobody will tell us of changes. */
  #track(mapping: OwnMapping): boolean {
    const kind = trackedKind(mapping);
    const { namespace, name } = referenceOf(mapping);
    const targets = kind === undefined ? [] : [domainReferenceKey(kind, namespace, name)];
    this.#tracker.track(objectKey(mapping), targets);
    return kind === undefined;
  }

  async #reconcileIngress(inputs: DomainIngressInputs): Promise<Ingress> {
    const { mapping } = inputs;
    const { namespace, name } = mapping.metadata;
    const desired = makeDomainIngress(inputs);
    const live = this.#ingresses.get(namespace, ingressName(name));
    if (live === undefined) return createIngress(this.#writer, mapping, desired);
    return updateIngress(this.#writer, live, desired);
  }
}

function setUrl({ metadata, status }: OwnMapping, scheme: string): void {
  const url = `${scheme}://${metadata.name}`;
  status.url = url;
  status.address = { url };
}

function urlLess({ tls, challenges }: DomainTls): Pick<DomainTls, 'tls' | 'challenges'> {
  return { tls, challenges };
}

export function createDomainMappingReconciler(
  context: ControllerContext,
  tracker: ReferenceTracker,
): { reconciler: Reconciler; recorder: EventRecorder } {
  const recorder = new EventRecorder({ ...context, component: 'domainmapping-controller' });
  const kind = new DomainMappingReconciler(context, recorder, tracker);
  const reconciler = new StatusPipeline<DomainMapping>(context, {
    kind: kinds.DomainMapping,
    conditionSet: CONDITION_SETS.DomainMapping,
    lister: context.informers.informer<DomainMapping>(kinds.DomainMapping).lister,
    recorder,
    reconcileKind: (mapping, pass) => kind.reconcileKind(mapping, pass),
    forget: (key) => tracker.forget(key),
    finalizer: {
      name: DOMAIN_MAPPING_FINALIZER,
      clean: (mapping, config) => kind.clean(mapping, config.network.autocreateClusterDomainClaims),
    },
  });
  return { reconciler, recorder };
}
