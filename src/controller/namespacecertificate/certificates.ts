// Which wildcard Certificates a namespace should have (CP-455). Pure.

import type { ServingConfig } from '../../api/config/registry.ts';
import { apiVersionOf, Certificate as CertificateKind } from '../../api/kinds.ts';
import { matchesSelector } from '../../api/label-selector.ts';
import {
  CERTIFICATE_CLASS_ANNOTATIONS,
  firstAnnotation,
  WILDCARD_DOMAIN_LABEL,
} from '../../api/labels.ts';
import type { Certificate } from '../../api/networking.ts';
import { controllerReference, type KubeObject } from '../../api/objects.ts';

const WILDCARD_TYPE = 'wildcard';

export function wantsWildcards(
  { metadata }: KubeObject,
  { network }: Pick<ServingConfig, 'network'>,
): boolean {
  const selector = network.namespaceWildcardCertSelector;
  return selector !== null && matchesSelector(selector, metadata.labels);
}

/** One for each wildcard domain; throws an Error for a template that makes no wildcard. */
export function makeWildcardCertificates(
  namespace: KubeObject,
  { domain, network }: Pick<ServingConfig, 'domain' | 'network'>,
): Certificate[] {
  return domain.entries
    .filter(({ type }) => type === WILDCARD_TYPE)
    .filter((entry) => entry.domain !== domain.clusterLocalDomain)
    .map((entry) => {
      const dnsName = network.domainTemplate.render({
        Name: '*',
        Namespace: namespace.metadata.name,
        Domain: entry.domain,
        Labels: {},
        Annotations: {},
      });
      if (!/^\*\..+$/.test(dnsName)) throw new Error(`invalid DomainTemplate: ${dnsName}`);
      return makeWildcard(namespace, entry.domain, dnsName, network.certificateClass);
    });
}

function makeWildcard(
  namespace: KubeObject,
  domain: string,
  dnsName: string,
  defaultClass: string,
): Certificate {
  const { metadata } = namespace;
  const name = dnsName.slice(dnsName.indexOf('.') + 1);
  const given = firstAnnotation(metadata.annotations, CERTIFICATE_CLASS_ANNOTATIONS);
  return {
    apiVersion: apiVersionOf(CertificateKind),
    kind: 'Certificate',
    metadata: {
      name,
      namespace: metadata.name,
      labels: { [WILDCARD_DOMAIN_LABEL]: domain },
      annotations: { [CERTIFICATE_CLASS_ANNOTATIONS[0]]: given ?? defaultClass },
      ownerReferences: [controllerReference(namespace)],
    },
    spec: { dnsNames: [dnsName], secretName: name },
  };
}
