// Host names as the route table knows them: lower case, without port. Pure.

const MAX_LABEL_LENGTH = 63;

/** Host of a request as a key of the table: port stripped, lower case (ING-10, ING-22). */
export function normalizeHost(host: string): string {
  // A colon inside brackets belongs to an IPv6 address.
  const colon = host.indexOf(':', host.lastIndexOf(']') + 1);
  let end = colon < 0 ? host.length : colon;
  // A fully qualified name may end in a dot.
  if (end > 1 && host.charCodeAt(end - 1) === 0x2e) end -= 1;
  return host.slice(0, end).toLowerCase();
}

/**
 * ING-21: every form under which a cluster name may be asked for. `foo.ns.svc.cluster.local` also
 * answers to `foo.ns.svc` and `foo.ns`. Expanding twice changes nothing.
 */
export function expandHosts(hosts: readonly string[], clusterDomain: string): string[] {
  const expanded = new Set<string>();
  const add = (host: string): void => {
    if (isServable(host)) expanded.add(host);
  };
  for (const given of hosts) {
    const host = given.toLowerCase();
    add(host);
    if (host.endsWith(`.${clusterDomain}`)) add(host.slice(0, -clusterDomain.length - 1));
    if (host.endsWith(`.svc.${clusterDomain}`)) {
      add(host.slice(0, -clusterDomain.length - '.svc.'.length));
    }
  }
  return [...expanded];
}

/** A form whose last label is too long or all digits is no name at all. */
function isServable(host: string): boolean {
  const label = host.slice(host.lastIndexOf('.') + 1);
  return label.length <= MAX_LABEL_LENGTH && /[-:-\uffff]/.test(label);
}
