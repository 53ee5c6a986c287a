// Host names of a Route's groups and who may see them (CP-300 to CP-303). Pure.

import { type DomainConfig, domainForLabels } from '../../api/config/domain.ts';
import type { ServingConfig } from '../../api/config/registry.ts';
import type { CoreService } from '../../api/core.ts';
import { VISIBILITY_CLUSTER_LOCAL, VISIBILITY_LABEL } from '../../api/labels.ts';
import { serviceHostname } from '../../api/naming.ts';
import type { Route } from '../../api/serving.ts';
import { withoutKeys } from '../children.ts';
import { DEFAULT_GROUP } from './traffic.ts';

/** One host name of a group; the text after the last colon is Kubernetes' own. */
export class DomainNameError extends Error {}

export interface GroupHost {
  readonly tag: string;
  /** CP-302: Kubernetes name of the group's placeholder Service. */
  readonly name: string;
  readonly isClusterLocal: boolean;
  readonly clusterLocalHost: string;
  /** The host this group is known by: its public one, or the cluster-local one. */
  readonly host: string;
  readonly url: string;
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const MAX_DOMAIN_LENGTH = 253;

type HostConfig = Pick<ServingConfig, 'domain' | 'network'>;

/** CP-300: `placeholders` are the Services that already carry this Route's label. */
export function groupHosts(
  route: Route,
  tags: Iterable<string>,
  placeholders: readonly CoreService[],
  config: HostConfig,
  clusterDomain: string,
): Map<string, GroupHost> {
  const routeIsLocal = isRouteClusterLocal(route, config.domain);
  const hosts = new Map<string, GroupHost>();
  for (const tag of tags) {
    const name = hostName(route.metadata.name, tag, config);
    const placeholder = placeholders.find(({ metadata }) => metadata.name === name);
    const isClusterLocal =
      routeIsLocal || Boolean(placeholder?.metadata.labels?.[VISIBILITY_LABEL]);
    const clusterLocalHost = serviceHostname(name, route.metadata.namespace ?? '', clusterDomain);
    const host = isClusterLocal ? clusterLocalHost : publicHost(route, name, config);
    const scheme = isClusterLocal ? 'http' : config.network.defaultExternalScheme;
    hosts.set(tag, {
      tag,
      name,
      isClusterLocal,
      clusterLocalHost,
      host,
      url: `${scheme}://${host}`,
    });
  }
  return hosts;
}

function isRouteClusterLocal({ metadata }: Route, domain: DomainConfig): boolean {
  return domainForLabels(domain, metadata.labels) === domain.clusterLocalDomain;
}

/** CP-302. */
export function hostName(route: string, tag: string, { network }: HostConfig): string {
  return tag === DEFAULT_GROUP ? route : network.tagTemplate.render({ Name: route, Tag: tag });
}

/** CP-301 for a public group. */
function publicHost({ metadata }: Route, name: string, config: HostConfig): string {
  const labels = withoutKeys(metadata.labels, [VISIBILITY_LABEL]);
  return requireDomain(
    config.network.domainTemplate.render({
      Name: name,
      Namespace: metadata.namespace ?? '',
      Domain: domainForLabels(config.domain, labels),
      Labels: labels,
      Annotations: metadata.annotations ?? {},
    }),
  );
}

/** CP-320: by the Route's own labels, whatever the visibility of the group. */
export function placeholderDomain(
  route: Route,
  name: string,
  config: HostConfig,
  clusterDomain: string,
): string {
  return isRouteClusterLocal(route, config.domain) ||
    route.metadata.labels?.[VISIBILITY_LABEL] === VISIBILITY_CLUSTER_LOCAL
    ? serviceHostname(name, route.metadata.namespace ?? '', clusterDomain)
    : publicHost(route, name, config);
}

function requireDomain(domain: string): string {
  const labels = domain.split('.');
  let problem = '';
  if (domain.length > MAX_DOMAIN_LENGTH) problem = 'must be no more than 253 characters';
  else if (labels.length < 2) {
    problem = 'should be a domain with at least two segments separated by dots';
  } else if (!labels.every((label) => label.length <= 63 && LABEL.test(label))) {
    problem =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and " +
      "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex " +
      "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  }
  if (problem === '') return domain;
  throw new DomainNameError(
    `domain name error: invalid domain name "${domain}": url: Invalid value: "${domain}": ${problem}`,
  );
}
