// Whose telemetry it is: the resource of metrics and traces (QP-144, QP-156). Pure.

import type { Labels } from '../telemetry/metric-series.ts';

export interface MetricsIdentity {
  readonly namespace: string;
  readonly service: string;
  readonly configuration: string;
  readonly revision: string;
  /** SERVING_POD. */
  readonly podName: string;
  /** POD_NAME, else HOSTNAME, else SERVING_POD. */
  readonly telemetryPodName: string;
  /** OTEL_SERVICE_NAME, '' when not set. */
  readonly serviceName: string;
}

/** Sorted by name; an attribute without a value is left out. */
export function resourceOf(identity: MetricsIdentity): Labels {
  const { namespace, service, configuration, revision, telemetryPodName } = identity;
  const name = identity.serviceName || service || configuration || revision || telemetryPodName;
  const attributes: Labels = [
    ['container.name', 'queue-proxy'],
    ['k8s.namespace.name', namespace],
    ['k8s.pod.name', telemetryPodName],
    ['kn.configuration.name', configuration],
    ['kn.revision.name', revision],
    ['kn.service.name', service],
    ['service.instance.id', telemetryPodName],
    ['service.name', name],
    // No build revision is stamped into the program.
    ['service.version', 'unknown'],
    ['telemetry.sdk.language', 'nodejs'],
    ['telemetry.sdk.name', 'pilotlight'],
  ];
  return attributes.filter(([, value]) => value !== '');
}
