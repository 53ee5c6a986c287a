// The Certificates a Route wants: one per public domain (CP-346), one per group inside the cluster
// (CP-352), and which ready-made wildcard covers a domain already (CP-347). Pure.

import { domainForLabels } from '../../../api/config/domain.ts';
import type { ServingConfig } from '../../../api/config/registry.ts';
import { apiVersionOf, Certificate as CertificateKind } from '../../../api/kinds.ts';
import {
  CERTIFICATE_CLASS_ANNOTATIONS,
  CERTIFICATE_TYPE_LABEL,
  CLUSTER_LOCAL_DOMAIN_TYPE,
  EXTERNAL_DOMAIN_TYPE,
  ROUTE_LABEL,
  WILDCARD_DOMAIN_LABEL,
} from '../../../api/labels.ts';
import { adler32, clusterLocalHosts } from '../../../api/naming.ts';
import type { Certificate } from '../../../api/networking.ts';
import { controllerReference } from '../../../api/objects.ts';
import type { Route } from '../../../api/serving.ts';
import { classedAnnotations } from '../../ingress-parts.ts';
import type { GroupHost } from '../domains.ts';
import { DEFAULT_GROUP } from '../traffic.ts';

type CertificateConfig = Pick<ServingConfig, 'domain' | 'network'>;

/** CP-62. */
export function routeCertificateName({ metadata }: Route, tag: string): string {
  const base = `route-${metadata.uid ?? ''}`;
  return tag === DEFAULT_GROUP ? base : `${base}-${adler32(tag)}`;
}

/** CP-346: sorted by domain. */
export function makeExternalCertificates(
  route: Route,
  hosts: Iterable<GroupHost>,
  config: CertificateConfig,
): Certificate[] {
  const domain = domainForLabels(config.domain, route.metadata.labels);
  return [...hosts]
    .filter(({ isClusterLocal }) => !isClusterLocal)
    .sort((a, b) => (a.host < b.host ? -1 : 1))
    .map(({ tag, host }) => {
      const name = routeCertificateName(route, tag);
      return makeCertificate(route, config, {
        name,
        type: EXTERNAL_DOMAIN_TYPE,
        dnsNames: [host],
        domain,
      });
    });
}

/** CP-352. */
export function makeLocalCertificates(
  route: Route,
  hosts: Iterable<GroupHost>,
  config: CertificateConfig,
): Certificate[] {
  return [...hosts].map(({ tag, clusterLocalHost }) =>
    makeCertificate(route, config, {
      name: `${routeCertificateName(route, tag)}-local`,
      type: CLUSTER_LOCAL_DOMAIN_TYPE,
      dnsNames: clusterLocalHosts(clusterLocalHost),
      domain: config.domain.clusterLocalDomain,
    }),
  );
}

function makeCertificate(
  route: Route,
  { network }: CertificateConfig,
  wish: { name: string; type: string; dnsNames: string[]; domain: string },
): Certificate {
  const { namespace, name } = route.metadata;
  return {
    apiVersion: apiVersionOf(CertificateKind),
    kind: 'Certificate',
    metadata: {
      name: wish.name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [ROUTE_LABEL]: name, [CERTIFICATE_TYPE_LABEL]: wish.type },
      annotations: classedAnnotations(
        route,
        CERTIFICATE_CLASS_ANNOTATIONS,
        network.certificateClass,
      ),
      ownerReferences: [controllerReference(route)],
    },
    spec: { dnsNames: wish.dnsNames, domain: wish.domain, secretName: wish.name },
  };
}

/** CP-347: `wildcards` are Certificates of the Route's namespace. */
export function coveringWildcard(
  { spec }: Certificate,
  wildcards: readonly Certificate[],
): Certificate | undefined {
  const [host = ''] = spec.dnsNames;
  const rest = host.slice(host.indexOf('.') + 1);
  return wildcards.find(
    ({ metadata, spec: covering }) =>
      metadata.labels?.[WILDCARD_DOMAIN_LABEL] === spec.domain &&
      covering.dnsNames.some((name) => name.slice(name.indexOf('.') + 1) === rest),
  );
}
