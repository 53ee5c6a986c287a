// The Ingress of a Route (CP-305 to CP-312). Pure.

import { isEnabled } from '../../../api/config/features.ts';
import type { ServingConfig } from '../../../api/config/registry.ts';
import { apiVersionOf, Ingress as IngressKind } from '../../../api/kinds.ts';
import {
  INGRESS_CLASS_ANNOTATIONS,
  ROLLOUT_ANNOTATION,
  ROUTE_LABEL,
  ROUTE_NAMESPACE_LABEL,
  TAG_TO_HOST_ANNOTATION,
} from '../../../api/labels.ts';
import { clusterLocalHosts, ingressName } from '../../../api/naming.ts';
import type {
  Http01Challenge,
  Ingress,
  IngressPath,
  IngressRule,
  IngressSpec,
  IngressSplit,
  IngressTls,
} from '../../../api/networking.ts';
import { controllerReference } from '../../../api/objects.ts';
import type { Route } from '../../../api/serving.ts';
import { challengePaths, classedAnnotations, makeHttpOption } from '../../ingress-parts.ts';
import type { GroupHost } from '../domains.ts';
import { findRollout, type Rollout } from '../rollout.ts';
import { DEFAULT_GROUP, type RevisionTarget, type TrafficConfig } from '../traffic.ts';

export const REVISION_HEADER = 'Knative-Serving-Revision';
export const NAMESPACE_HEADER = 'Knative-Serving-Namespace';
export const TAG_HEADER = 'Knative-Serving-Tag';
export const DEFAULT_ROUTE_HEADER = 'Knative-Serving-Default-Route';
const HTTP1_SERVICE_PORT = 80;
const H2C_SERVICE_PORT = 81;
const HTTPS_SERVICE_PORT = 443;

export interface IngressInputs {
  readonly route: Route;
  readonly traffic: TrafficConfig;
  readonly hosts: ReadonlyMap<string, GroupHost>;
  readonly rollout: Rollout;
  readonly config: ServingConfig;
  /** CP-312: external entries first. */
  readonly tls?: readonly IngressTls[];
  /** CP-311. */
  readonly challenges?: readonly Http01Challenge[];
}

export function makeIngress(inputs: IngressInputs): Ingress {
  const { metadata } = inputs.route;
  return {
    apiVersion: apiVersionOf(IngressKind),
    kind: 'Ingress',
    metadata: {
      name: ingressName(metadata.name),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: {
        ...metadata.labels,
        [ROUTE_LABEL]: metadata.name,
        [ROUTE_NAMESPACE_LABEL]: metadata.namespace ?? '',
      },
      annotations: makeAnnotations(inputs),
      ownerReferences: [controllerReference(inputs.route)],
    },
    spec: makeSpec(inputs),
  };
}

/** CP-305, CP-306. */
function makeAnnotations({ route, hosts, rollout, config }: IngressInputs): Record<string, string> {
  const tagToHost = makeTagToHost(hosts);
  return {
    [ROLLOUT_ANNOTATION]: JSON.stringify(rollout),
    ...classedAnnotations(route, INGRESS_CLASS_ANNOTATIONS, config.network.ingressClass),
    ...(tagToHost === null ? {} : { [TAG_TO_HOST_ANNOTATION]: tagToHost }),
  };
}

function makeTagToHost(hosts: ReadonlyMap<string, GroupHost>): string | null {
  const entries = [...hosts.values()]
    .filter(({ tag }) => tag !== DEFAULT_GROUP)
    .sort((a, b) => (a.tag < b.tag ? -1 : 1))
    .map(({ tag, clusterLocalHost, host, isClusterLocal }) => [
      tag,
      isClusterLocal ? [clusterLocalHost] : [clusterLocalHost, host],
    ]);
  return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries));
}

function makeSpec(inputs: IngressInputs): IngressSpec {
  const httpOption = makeHttpOption(inputs.route, inputs.config.network);
  return {
    ...(httpOption === '' ? {} : { httpOption }),
    ...(inputs.tls === undefined || inputs.tls.length === 0 ? {} : { tls: [...inputs.tls] }),
    rules: [...inputs.traffic.groups.keys()].flatMap((tag) => makeRules(tag, inputs)),
  };
}

/** CP-308. */
function makeRules(tag: string, inputs: IngressInputs): IngressRule[] {
  const group = inputs.hosts.get(tag);
  if (group === undefined) return [];
  const http = { paths: makePaths(tag, inputs) };
  const rules: IngressRule[] = [
    { hosts: clusterLocalHosts(group.clusterLocalHost), visibility: 'ClusterLocal', http },
  ];
  if (!group.isClusterLocal) {
    const paths = [
      ...challengePaths(inputs.challenges ?? [], group.host),
      ...structuredClone(http.paths),
    ];
    rules.push({ hosts: [group.host], visibility: 'ExternalIP', http: { paths } });
  }
  return rules;
}

/** CP-309, CP-310. */
function makePaths(tag: string, inputs: IngressInputs): IngressPath[] {
  const main: IngressPath = { splits: makeSplits(tag, inputs) };
  if (!isEnabled(inputs.config.features, 'tag-header-based-routing')) return [main];
  if (tag !== DEFAULT_GROUP) return [{ ...main, appendHeaders: { [TAG_HEADER]: tag } }];
  const tags = [...inputs.traffic.groups.keys()].filter((each) => each !== DEFAULT_GROUP);
  const byHeader = tags.map((each) => ({
    headers: { [TAG_HEADER]: { exact: each } },
    splits: makeSplits(each, inputs),
  }));
  return [...byHeader, { ...main, appendHeaders: { [DEFAULT_ROUTE_HEADER]: 'true' } }];
}

function makeSplits(
  tag: string,
  { route, traffic, rollout, config }: IngressInputs,
): IngressSplit[] {
  const namespace = route.metadata.namespace ?? '';
  const splits: IngressSplit[] = [];
  for (const target of traffic.groups.get(tag) ?? []) {
    const servicePort = portOf(target, config);
    for (const { revisionName, percent } of sharesOf(target, tag, rollout)) {
      if (percent === 0) continue;
      splits.push({
        serviceNamespace: namespace,
        serviceName: revisionName,
        servicePort,
        percent,
        appendHeaders: { [REVISION_HEADER]: revisionName, [NAMESPACE_HEADER]: namespace },
      });
    }
  }
  return splits;
}

function sharesOf(
  target: RevisionTarget,
  tag: string,
  rollout: Rollout,
): readonly { revisionName: string; percent: number }[] {
  if (!target.latestRevision) return [target];
  return findRollout(rollout, tag, target.configurationName)?.revisions ?? [target];
}

function portOf({ protocol }: RevisionTarget, { network }: ServingConfig): number {
  if (network.systemInternalTls) return HTTPS_SERVICE_PORT;
  return protocol === 'h2c' ? H2C_SERVICE_PORT : HTTP1_SERVICE_PORT;
}
