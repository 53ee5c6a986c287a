// Header names and values by which Knative components recognise each other's requests.
// Kept in one leaf so that sidecar, activator, gateway and autoscaler cannot drift apart.
// Names are given as sent on the wire; the `…_KEY` twins are lower-case, as `Exchange.header` and
// `HeaderEdits.drop` want them. Values are compared exactly, case included (QP-20, ACT-21).

/** Marks a probe; the value says which component should answer. */
export const NETWORK_PROBE_HEADER = 'K-Network-Probe';
export const NETWORK_PROBE_KEY = 'k-network-probe';
/** Answered by whichever data-plane component sees it first (ING-60). */
export const NETWORK_PROBE_VALUE = 'probe';
/** Answered by the queue-proxy, body `queue` (QP-21). */
export const QUEUE_PROBE_VALUE = 'queue';
/** Answered by the activator, body `activator` (ACT-23). */
export const ACTIVATOR_PROBE_VALUE = 'activator';

/** Version of the Ingress a gateway serves; echoed to a network probe. */
export const NETWORK_HASH_HEADER = 'K-Network-Hash';
export const NETWORK_HASH_KEY = 'k-network-hash';
/** Value an Ingress prober sends so that the gateway replaces it by its own hash (ING-51). */
export const NETWORK_HASH_OVERRIDE = 'override';

/** Set by a kubelet probing through the data plane (QP-22). */
export const KUBELET_PROBE_KEY = 'k-kubelet-probe';

/** User agents, compared as prefixes. */
export const KUBELET_USER_AGENT_PREFIX = 'kube-probe/';
export const ACTIVATOR_USER_AGENT = 'Knative-Activator-Probe';
export const AUTOSCALER_USER_AGENT = 'Knative-Autoscaling-Probe';
/** What the sidecar's own HTTP readiness probe of the app sends (QP-107). */
export const APP_PROBE_USER_AGENT = 'kube-probe//';

/** `activator` on requests that passed an activator; counts as proxied in statistics (QP-35). */
export const PROXY_REQUEST_HEADER = 'K-Proxy-Request';
export const PROXY_REQUEST_KEY = 'k-proxy-request';
export const PROXY_REQUEST_ACTIVATOR = 'activator';

/** Tells a mesh to pass the request to the pod it is addressed to (ACT-95, ACT-105). */
export const PASSTHROUGH_LB_LINE = 'K-Passthrough-Lb: true\r\n';

/** The host the client asked for, when a hop rewrote Host (QP-66). */
export const ORIGINAL_HOST_HEADER = 'K-Original-Host';
export const ORIGINAL_HOST_KEY = 'k-original-host';

/** Which revision a request is for; set by the gateway, removed before the app (QP-65). */
export const SERVING_REVISION_KEY = 'knative-serving-revision';
export const SERVING_NAMESPACE_KEY = 'knative-serving-namespace';
/** Traffic tag asked for, and whether the default route answered (QP-147). */
export const SERVING_TAG_KEY = 'knative-serving-tag';
export const DEFAULT_ROUTE_HEADER = 'Knative-Serving-Default-Route';
export const DEFAULT_ROUTE_KEY = 'knative-serving-default-route';

/** Content type of a scraped stat, exactly, without parameters (QP-41). */
export const STAT_CONTENT_TYPE = 'application/protobuf';
/** The autoscaler reads at most this much of a scraped stat (QP-44). */
export const MAX_STAT_BYTES = 336;

/** True for the user agents whose requests are health checks of the sidecar (QP-20). */
export function isHealthCheckUserAgent(userAgent: string): boolean {
  // Two letters decide for nearly all traffic; no browser or client library starts with them.
  const first = userAgent.charCodeAt(0);
  if (first !== LOWER_K && first !== UPPER_K) return false;
  return (
    userAgent.startsWith(KUBELET_USER_AGENT_PREFIX) ||
    userAgent.startsWith(ACTIVATOR_USER_AGENT) ||
    userAgent.startsWith(AUTOSCALER_USER_AGENT)
  );
}

const LOWER_K = 0x6b;
const UPPER_K = 0x4b;
