// Every label, annotation and well-known name as a constant (CP-63 to CP-65, AS-15), so that a key
// is spelled once. Where a key has an older alias, the list form names the keys in the order in
// which they win: read those through `firstAnnotation`.

export const SYSTEM_NAMESPACE = 'knative-serving';
export const CLUSTER_DOMAIN = 'cluster.local';
export const INGRESS_CLASS = 'pilotlight.ingress.networking.knative.dev';

// serving.knative.dev (CP-63)
export const SERVICE_LABEL = 'serving.knative.dev/service';
export const SERVICE_UID_LABEL = 'serving.knative.dev/serviceUID';
export const CONFIGURATION_LABEL = 'serving.knative.dev/configuration';
export const CONFIGURATION_UID_LABEL = 'serving.knative.dev/configurationUID';
export const CONFIGURATION_GENERATION_LABEL = 'serving.knative.dev/configurationGeneration';
export const REVISION_LABEL = 'serving.knative.dev/revision';
export const REVISION_UID_LABEL = 'serving.knative.dev/revisionUID';
export const ROUTE_LABEL = 'serving.knative.dev/route';
export const ROUTE_NAMESPACE_LABEL = 'serving.knative.dev/routeNamespace';
export const ROUTING_STATE_LABEL = 'serving.knative.dev/routingState';
export const ROUTING_STATE_MODIFIED_ANNOTATION = 'serving.knative.dev/routingStateModified';
export const ROUTES_ANNOTATION = 'serving.knative.dev/routes';
export const DEPLOYMENT_HASH_LABEL = 'serving.knative.dev/deployment-hash';
export const CREATOR_ANNOTATION = 'serving.knative.dev/creator';
export const LAST_MODIFIER_ANNOTATION = 'serving.knative.dev/lastModifier';
export const LAST_PINNED_ANNOTATION = 'serving.knative.dev/lastPinned';
export const NO_GC_ANNOTATION = 'serving.knative.dev/no-gc';
export const ROLLOUT_DURATION_ANNOTATIONS = [
  'serving.knative.dev/rollout-duration',
  'serving.knative.dev/rolloutDuration',
] as const;
export const PROGRESS_DEADLINE_ANNOTATION = 'serving.knative.dev/progress-deadline';
export const DOMAIN_MAPPING_UID_LABEL = 'serving.knative.dev/domainMappingUID';
export const DOMAIN_MAPPING_NAMESPACE_LABEL = 'serving.knative.dev/domainMappingNamespace';
export const LABELER_FINALIZER = 'routes.serving.knative.dev';
export const DOMAIN_MAPPING_FINALIZER = 'domainmappings.serving.knative.dev';

/** Values of `routingState`. */
export const ROUTING_STATE_PENDING = 'pending';
export const ROUTING_STATE_ACTIVE = 'active';
export const ROUTING_STATE_RESERVE = 'reserve';

// queue.sidecar.serving.knative.dev and features.knative.dev (CP-64)
export const QUEUE_SIDECAR_PREFIX = 'queue.sidecar.serving.knative.dev/';
export const QUEUE_SIDECAR_RESOURCE_PERCENTAGE_ANNOTATIONS = [
  `${QUEUE_SIDECAR_PREFIX}resource-percentage`,
  `${QUEUE_SIDECAR_PREFIX}resourcePercentage`,
] as const;
export const QUEUE_PROXY_PODINFO_ANNOTATION = 'features.knative.dev/queueproxy-podinfo';
export const HTTP_FULL_DUPLEX_ANNOTATION = 'features.knative.dev/http-full-duplex';

// networking.knative.dev (CP-65)
export const INGRESS_CLASS_ANNOTATIONS = [
  'networking.knative.dev/ingress.class',
  'networking.knative.dev/ingress-class',
] as const;
export const CERTIFICATE_CLASS_ANNOTATIONS = [
  'networking.knative.dev/certificate.class',
  'networking.knative.dev/certificate-class',
] as const;
export const DISABLE_EXTERNAL_DOMAIN_TLS_ANNOTATIONS = [
  'networking.knative.dev/disableAutoTLS',
  'networking.knative.dev/disable-auto-tls',
  'networking.knative.dev/disable-external-domain-tls',
] as const;
export const HTTP_PROTOCOL_ANNOTATIONS = [
  'networking.knative.dev/httpOption',
  'networking.knative.dev/http-protocol',
] as const;
export const VISIBILITY_LABEL = 'networking.knative.dev/visibility';
export const VISIBILITY_CLUSTER_LOCAL = 'cluster-local';
export const WILDCARD_DOMAIN_LABEL = 'networking.knative.dev/wildcardDomain';
export const CERTIFICATE_TYPE_LABEL = 'networking.knative.dev/certificate-type';
/** Values of `certificate-type`. */
export const EXTERNAL_DOMAIN_TYPE = 'external-domain';
export const CLUSTER_LOCAL_DOMAIN_TYPE = 'cluster-local-domain';
export const SYSTEM_INTERNAL_TYPE = 'system-internal';
export const CERT_MANAGER_CLASS = 'cert-manager.certificate.networking.knative.dev';
/** Certificates of this class are issued by our own authority. */
export const PILOTLIGHT_CERTIFICATE_CLASS = 'pilotlight.certificate.networking.knative.dev';
export const TRUST_BUNDLE_LABEL = 'networking.knative.dev/trust-bundle';

// networking.internal.knative.dev
export const ROLLOUT_ANNOTATION = 'networking.internal.knative.dev/rollout';
export const TAG_TO_HOST_ANNOTATION = 'networking.internal.knative.dev/tag-to-host';
export const INGRESS_LABEL = 'networking.internal.knative.dev/ingress';
export const CERTIFICATE_UID_LABEL = 'networking.internal.knative.dev/certificate-uid';
export const SKS_LABEL = 'networking.internal.knative.dev/serverlessservice';
export const SERVICE_TYPE_LABEL = 'networking.internal.knative.dev/serviceType';
export const SERVICE_TYPE_PUBLIC = 'Public';
export const SERVICE_TYPE_PRIVATE = 'Private';

// autoscaling.knative.dev (AS-15). First key is the primary one, the second its camel-case alias.
export const AUTOSCALING_PREFIX = 'autoscaling.knative.dev/';
export const AUTOSCALING_CLASS_ANNOTATION = 'autoscaling.knative.dev/class';
export const AUTOSCALING_METRIC_ANNOTATION = 'autoscaling.knative.dev/metric';
export const KPA_CLASS = 'kpa.autoscaling.knative.dev';
export const HPA_CLASS = 'hpa.autoscaling.knative.dev';
export const TARGET_ANNOTATIONS = ['autoscaling.knative.dev/target'] as const;
export const MIN_SCALE_ANNOTATIONS = [
  'autoscaling.knative.dev/min-scale',
  'autoscaling.knative.dev/minScale',
] as const;
export const MAX_SCALE_ANNOTATIONS = [
  'autoscaling.knative.dev/max-scale',
  'autoscaling.knative.dev/maxScale',
] as const;
export const INITIAL_SCALE_ANNOTATIONS = [
  'autoscaling.knative.dev/initial-scale',
  'autoscaling.knative.dev/initialScale',
] as const;
export const ACTIVATION_SCALE_ANNOTATIONS = ['autoscaling.knative.dev/activation-scale'] as const;
export const SCALE_DOWN_DELAY_ANNOTATIONS = [
  'autoscaling.knative.dev/scale-down-delay',
  'autoscaling.knative.dev/scaleDownDelay',
] as const;
export const POD_RETENTION_ANNOTATIONS = [
  'autoscaling.knative.dev/scale-to-zero-pod-retention-period',
  'autoscaling.knative.dev/scaleToZeroPodRetentionPeriod',
] as const;
export const METRIC_AGGREGATION_ANNOTATIONS = [
  'autoscaling.knative.dev/metric-aggregation-algorithm',
  'autoscaling.knative.dev/metricAggregationAlgorithm',
] as const;
export const TARGET_UTILIZATION_ANNOTATIONS = [
  'autoscaling.knative.dev/target-utilization-percentage',
  'autoscaling.knative.dev/targetUtilizationPercentage',
] as const;
export const TARGET_BURST_CAPACITY_ANNOTATIONS = [
  'autoscaling.knative.dev/target-burst-capacity',
  'autoscaling.knative.dev/targetBurstCapacity',
] as const;
export const WINDOW_ANNOTATIONS = ['autoscaling.knative.dev/window'] as const;
export const PANIC_WINDOW_ANNOTATIONS = [
  'autoscaling.knative.dev/panic-window-percentage',
  'autoscaling.knative.dev/panicWindowPercentage',
] as const;
export const PANIC_THRESHOLD_ANNOTATIONS = [
  'autoscaling.knative.dev/panic-threshold-percentage',
  'autoscaling.knative.dev/panicThresholdPercentage',
] as const;

// Kubernetes
export const LAST_APPLIED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
export const DEFAULT_CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';
export const POD_DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';
export const EXAMPLE_CHECKSUM_ANNOTATION = 'knative.dev/example-checksum';

// Ours
/** Pod annotation: JSON object, container port number -> actual port on `podIP`. */
export const PORT_MAP_ANNOTATION = 'node.pilotlight.dev/port-map';

// Names
export const QUEUE_PROXY_CONTAINER = 'queue-proxy';
export const ACTIVATOR_SERVICE = 'activator-service';

/** Value of the first of `keys` that is present, even when it is empty. */
export function firstAnnotation(
  values: Record<string, string> | undefined,
  keys: readonly string[],
): string | undefined {
  return firstAnnotationEntry(values, keys)?.value;
}

/** Like `firstAnnotation`, with the key that was found: error paths name it as written. */
export function firstAnnotationEntry(
  values: Record<string, string> | undefined,
  keys: readonly string[],
): { key: string; value: string } | undefined {
  if (values === undefined) return undefined;
  for (const key of keys) {
    const value = values[key];
    if (value !== undefined) return { key, value };
  }
  return undefined;
}
