// Namespace -> wildcard Certificates (CP-455), so that a new Route of the namespace has its
// certificate before it exists. Writes no status; keys are names of namespaces.

import * as kinds from '../../api/kinds.ts';
import { WILDCARD_DOMAIN_LABEL } from '../../api/labels.ts';
import type { Certificate } from '../../api/networking.ts';
import type { KubeObject } from '../../api/objects.ts';
import { EventRecorder } from '../../kube/events.ts';
import { messageOf } from '../../kube/status-pass.ts';
import { isNotFound, type Lister, type Reconciler } from '../../kube/types.ts';
import { type CertificateWriter, ensureCertificate } from '../certificate/ensure.ts';
import { isControlledBy } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { makeWildcardCertificates, wantsWildcards } from './certificates.ts';

export class NamespaceCertificateReconciler implements Reconciler {
  readonly #context: ControllerContext;
  readonly #writer: CertificateWriter;
  readonly #namespaces: Lister<KubeObject>;
  readonly #certificates: Lister<Certificate>;

  constructor(context: ControllerContext, recorder: EventRecorder) {
    const { client, informers } = context;
    this.#context = context;
    this.#namespaces = informers.informer<KubeObject>(kinds.Namespace).lister;
    this.#certificates = informers.informer<Certificate>(kinds.Certificate).lister;
    const certificates = this.#certificates;
    this.#writer = { client, recorder, certificates, noun: 'Knative Certificate' };
  }

  async reconcile(key: string): Promise<undefined> {
    const namespace = this.#namespaces.get(undefined, key);
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
    const config = this.#context.config.current;
    if (!wantsWildcards(namespace, config)) {
      for (const certificate of this.#labelled(key)) await this.#delete(namespace, certificate);
      return;
    }
    const wanted = makeWildcardCertificates(namespace, config);
    const listed = new Set(this.#labelled(key).flatMap(({ spec }) => spec.dnsNames));
    for (const desired of wanted) {
      const isOurs = this.#certificates.get(key, desired.metadata.name) !== undefined;
      const isCovered = desired.spec.dnsNames.every((name) => listed.has(name));
      if (isCovered && !isOurs) continue;
      await ensureCertificate(this.#writer, namespace, desired);
    }
    const domains = new Set(wanted.map(({ metadata }) => metadata.labels![WILDCARD_DOMAIN_LABEL]));
    for (const certificate of this.#labelled(key)) {
      if (domains.has(certificate.metadata.labels?.[WILDCARD_DOMAIN_LABEL] ?? '')) continue;
      await this.#delete(namespace, certificate);
    }
  }

  #labelled(namespace: string): Certificate[] {
    return this.#certificates
      .list(namespace)
      .filter(({ metadata }) => metadata.labels?.[WILDCARD_DOMAIN_LABEL] !== undefined);
  }

  async #delete(owner: KubeObject, certificate: Certificate): Promise<void> {
    if (!isControlledBy(certificate, owner)) return;
    const { client, recorder } = this.#writer;
    const { namespace, name } = certificate.metadata;
    const text = `Knative Certificate ${namespace}/${name}`;
    try {
      await client.delete(kinds.Certificate, { namespace, name });
      recorder.normal(owner, 'Deleted', `Deleted ${text}`);
    } catch (error) {
      if (isNotFound(error)) return;
      recorder.normal(owner, 'DeleteFailed', `Failed to delete ${text}: ${messageOf(error)}`);
      throw error;
    }
  }
}

export function createNamespaceCertificateReconciler(context: ControllerContext): {
  reconciler: Reconciler;
  recorder: EventRecorder;
} {
  const recorder = new EventRecorder({ ...context, component: 'namespace-controller' });
  return { reconciler: new NamespaceCertificateReconciler(context, recorder), recorder };
}
