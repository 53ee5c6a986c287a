// The Ingress and the Certificate of a DomainMapping (CP-430, CP-415). Pure.

import type { ServingConfig } from '../../../api/config/registry.ts';
import {
  apiVersionOf,
  Certificate as CertificateKind,
  Ingress as IngressKind,
} from '../../../api/kinds.ts';
import {
  CERTIFICATE_CLASS_ANNOTATIONS,
  CERTIFICATE_TYPE_LABEL,
  DOMAIN_MAPPING_NAMESPACE_LABEL,
  DOMAIN_MAPPING_UID_LABEL,
  EXTERNAL_DOMAIN_TYPE,
  INGRESS_CLASS_ANNOTATIONS,
} from '../../../api/labels.ts';
import { ingressName } from '../../../api/naming.ts';
import type {
  Certificate,
  Http01Challenge,
  Ingress,
  IngressRule,
  IngressTls,
} from '../../../api/networking.ts';
import { controllerReference } from '../../../api/objects.ts';
import type { DomainMapping } from '../../../api/serving.ts';
import {
  challengePaths,
  challengeTarget,
  classedAnnotations,
  makeHttpOption,
} from '../../ingress-parts.ts';
import type { ResolvedReference } from '../reference.ts';

export const ORIGINAL_HOST_HEADER = 'K-Original-Host';
const SERVICE_PORT = 80;

export interface DomainIngressInputs {
  readonly mapping: DomainMapping;
  readonly target: ResolvedReference;
  readonly tls: readonly IngressTls[];
  readonly challenges: readonly Http01Challenge[];
  readonly config: Pick<ServingConfig, 'network'>;
}

export function makeDomainIngress(inputs: DomainIngressInputs): Ingress {
  const { mapping, tls, config } = inputs;
  const { metadata } = mapping;
  const httpOption = makeHttpOption(mapping, config.network);
  return {
    apiVersion: apiVersionOf(IngressKind),
    kind: 'Ingress',
    metadata: {
      name: ingressName(metadata.name),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: {
        ...metadata.labels,
        [DOMAIN_MAPPING_UID_LABEL]: metadata.uid ?? '',
        [DOMAIN_MAPPING_NAMESPACE_LABEL]: metadata.namespace ?? '',
      },
      annotations: classedAnnotations(
        mapping,
        INGRESS_CLASS_ANNOTATIONS,
        config.network.ingressClass,
      ),
      ownerReferences: [controllerReference(mapping)],
    },
    spec: {
      ...(httpOption === '' ? {} : { httpOption }),
      ...(tls.length === 0 ? {} : { tls: [...tls] }),
      rules: makeRules(inputs),
    },
  };
}

function makeRules({ mapping, target, challenges }: DomainIngressInputs): IngressRule[] {
  const { name, namespace = '' } = mapping.metadata;
  const split = {
    serviceNamespace: namespace,
    serviceName: target.serviceName,
    servicePort: SERVICE_PORT,
    percent: 100,
    appendHeaders: { [ORIGINAL_HOST_HEADER]: name },
  };
  const main = { rewriteHost: target.host, splits: [split] };
  const others = new Set(
    challenges
      .map((challenge) => challengeTarget(challenge)?.host)
      .filter((host): host is string => host !== undefined && host !== name),
  );
  return [
    {
      hosts: [name],
      visibility: 'ExternalIP',
      http: { paths: [...challengePaths(challenges, name), main] },
    },
    ...[...others].map(
      (host): IngressRule => ({
        hosts: [host],
        visibility: 'ExternalIP',
        http: { paths: challengePaths(challenges, host) },
      }),
    ),
  ];
}

/** CP-415. The label holds the name, as the reference writes it. */
export function makeDomainCertificate(
  mapping: DomainMapping,
  { network }: Pick<ServingConfig, 'network'>,
): Certificate {
  const { name, namespace } = mapping.metadata;
  const certificateName = ingressName(name);
  return {
    apiVersion: apiVersionOf(CertificateKind),
    kind: 'Certificate',
    metadata: {
      name: certificateName,
      ...(namespace === undefined ? {} : { namespace }),
      labels: {
        [DOMAIN_MAPPING_UID_LABEL]: name,
        [CERTIFICATE_TYPE_LABEL]: EXTERNAL_DOMAIN_TYPE,
      },
      annotations: classedAnnotations(
        mapping,
        CERTIFICATE_CLASS_ANNOTATIONS,
        network.certificateClass,
      ),
      ownerReferences: [controllerReference(mapping)],
    },
    spec: { dnsNames: [name], domain: name, secretName: certificateName },
  };
}
