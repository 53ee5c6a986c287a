// Turns an Ingress into routes per host. Pure apart from asking for backends by name.
// A bad header name or value throws: the caller reports it on the Ingress and serves on as before.

import type { Ingress, IngressPath, IngressRule, IngressSpec } from '../api/networking.ts';
import { joinKey, objectKey } from '../api/objects.ts';
import type { Backend, Hop } from './backends.ts';
import type { CertificateUse } from './certificates.ts';
import { expandHosts } from './hosts.ts';
import { HeaderSet, type Route, Split, sortRoutes } from './routes.ts';
import { specHash, withDefaults } from './spec-hash.ts';

/** Plain HTTP must stay reachable for certificate challenges (ING-19). */
const ACME_PREFIX = '/.well-known/acme-challenge/';

/** One Ingress as the gateway serves it. */
export interface IngressConfig {
  /** `namespace/name`. */
  readonly key: string;
  /** ING-50; two configurations with the same hash are the same. */
  readonly hash: string;
  /** Hosts of ExternalIP rules. */
  readonly external: ReadonlyMap<string, readonly Route[]>;
  /** Hosts of all rules: the internal listener serves everything (ING-20). */
  readonly local: ReadonlyMap<string, readonly Route[]>;
  /** Each held once; to be released when the configuration goes. */
  readonly backends: readonly Backend[];
  /** What the HTTPS listeners serve it with. */
  readonly certificates: readonly CertificateUse[];
}

export type BackendSource = (
  namespace: string,
  serviceName: string,
  servicePort: number | string,
  hop: Hop,
) => Backend;

export function translateIngress(
  ingress: Ingress,
  clusterDomain: string,
  backendAt: BackendSource,
): IngressConfig {
  const { namespace = '', name } = ingress.metadata;
  const spec = withDefaults(ingress.spec);
  const hash = specHash(spec, namespace, name);
  const backends = new Map<string, Backend>();
  const context: PathContext = {
    hash,
    backendAt: (...target) => {
      const key = target.join(' ');
      const backend = backends.get(key) ?? backendAt(...target);
      backends.set(key, backend);
      return backend;
    },
  };
  const external = new Map<string, Route[]>();
  const local = new Map<string, Route[]>();
  for (const rule of spec.rules ?? []) {
    const redirects = spec.httpOption === 'Redirected' && rule.visibility !== 'ClusterLocal';
    const routes = routesOf(rule, redirects, context);
    for (const host of expandHosts(rule.hosts ?? [], clusterDomain)) {
      append(local, host, routes);
      if (rule.visibility !== 'ClusterLocal') append(external, host, routes);
    }
  }
  return {
    key: objectKey(ingress),
    hash,
    external: sorted(external),
    local: sorted(local),
    backends: [...backends.values()],
    certificates: certificatesOf(spec),
  };
}

/** ING-30: an entry counts for the listeners of every rule whose hosts it covers. */
function certificatesOf(spec: IngressSpec): CertificateUse[] {
  const uses: CertificateUse[] = [];
  for (const { hosts = [], secretName, secretNamespace } of spec.tls ?? []) {
    const covers = (rule: IngressRule): boolean =>
      (rule.hosts ?? []).every((host) => hosts.includes(host));
    for (const visibility of ['external', 'local'] as const) {
      const isLocal = visibility === 'local';
      const covered = (spec.rules ?? []).some(
        (rule) => (rule.visibility === 'ClusterLocal') === isLocal && covers(rule),
      );
      const secret = joinKey(secretNamespace, secretName);
      if (covered) uses.push({ visibility, hosts, secret });
    }
  }
  return uses;
}

interface PathContext {
  hash: string;
  backendAt: BackendSource;
}

function routesOf(rule: IngressRule, redirects: boolean, context: PathContext): Route[] {
  return (rule.http?.paths ?? []).map((path) => routeOf(path, redirects, context));
}

function routeOf(path: IngressPath, redirects: boolean, context: PathContext): Route {
  const prefix = path.path === '/' ? '' : (path.path ?? '');
  const conditions = Object.entries(path.headers ?? {});
  const rewriteHost = path.rewriteHost || null;
  const hop = rewriteHost === null ? 'internal' : 'rewritten';
  let totalPercent = 0;
  const splits: Split[] = [];
  for (const split of path.splits) {
    const percent = split.percent ?? 0;
    if (percent <= 0) continue;
    totalPercent += percent;
    const { serviceNamespace, serviceName, servicePort } = split;
    splits.push(
      new Split({
        backend: context.backendAt(serviceNamespace, serviceName, servicePort, hop),
        upTo: totalPercent,
        headers: HeaderSet.of(path.appendHeaders, split.appendHeaders),
        rewriteHost,
        hash: context.hash,
      }),
    );
  }
  return {
    prefix,
    headerNames: conditions.map(([header]) => header.toLowerCase()),
    headerValues: conditions.map(([, { exact }]) => exact),
    rewriteHost,
    redirects: redirects && !prefix.startsWith(ACME_PREFIX),
    splits,
    totalPercent,
    hash: context.hash,
  };
}

/** ING-10: rules that name the same host add their paths to it. */
function append(table: Map<string, Route[]>, host: string, routes: readonly Route[]): void {
  table.set(host, [...(table.get(host) ?? []), ...routes]);
}

function sorted(table: Map<string, Route[]>): Map<string, readonly Route[]> {
  return new Map([...table].map(([host, routes]) => [host, sortRoutes(routes)]));
}
