// The DNS domain of a cluster (CP-8): what the environment says, else what follows `svc.` in the
// search list that every pod gets, else the usual one. Pure.

const DEFAULT_CLUSTER_DOMAIN = 'cluster.local';

/** `resolvConf` is the text of /etc/resolv.conf, `''` where there is none. */
export function clusterDomainOf(
  env: Readonly<Record<string, string | undefined>>,
  resolvConf: string,
): string {
  if (env.CLUSTER_DOMAIN) return env.CLUSTER_DOMAIN;
  const search = /^search\s+(.*)$/m.exec(resolvConf)?.[1] ?? '';
  const found = search.split(/\s+/).find((domain) => domain.startsWith('svc.'));
  return found?.slice('svc.'.length).replace(/\.$/, '') || DEFAULT_CLUSTER_DOMAIN;
}
