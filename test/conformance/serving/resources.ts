// What the rows ask the API for: `group/version/plural`, and the path it has.

import type { KubeObject } from '../../../src/api/objects.ts';
import type { AnyObject as Loose } from '../../support/pilotlight.ts';

/** Any object as a user reads it; `at` gets at its fields. */
export interface AnyObject extends Loose {
  data?: Record<string, string>;
}

export const SERVICE = 'serving.knative.dev/v1/services';
export const CONFIGURATION = 'serving.knative.dev/v1/configurations';
export const REVISION = 'serving.knative.dev/v1/revisions';
export const ROUTE = 'serving.knative.dev/v1/routes';
export const DOMAIN_MAPPING = 'serving.knative.dev/v1beta1/domainmappings';
export const DOMAIN_CLAIM = 'networking.internal.knative.dev/v1alpha1/clusterdomainclaims';
export const INGRESS = 'networking.internal.knative.dev/v1alpha1/ingresses';
export const SERVERLESS_SERVICE = 'networking.internal.knative.dev/v1alpha1/serverlessservices';
export const POD_AUTOSCALER = 'autoscaling.internal.knative.dev/v1alpha1/podautoscalers';
export const DEPLOYMENT = 'apps/v1/deployments';
export const POD = 'v1/pods';
export const CORE_SERVICE = 'v1/services';
export const ENDPOINTS = 'v1/endpoints';
export const CONFIG_MAP = 'v1/configmaps';
export const EVENT = 'v1/events';

export const SYSTEM_NAMESPACE = 'knative-serving';

const KINDS: Readonly<Record<string, string>> = {
  'serving.knative.dev/v1 Service': SERVICE,
  'serving.knative.dev/v1 Configuration': CONFIGURATION,
  'serving.knative.dev/v1 Revision': REVISION,
  'serving.knative.dev/v1 Route': ROUTE,
  'serving.knative.dev/v1beta1 DomainMapping': DOMAIN_MAPPING,
  'networking.internal.knative.dev/v1alpha1 ClusterDomainClaim': DOMAIN_CLAIM,
  'networking.internal.knative.dev/v1alpha1 Ingress': INGRESS,
  'autoscaling.internal.knative.dev/v1alpha1 PodAutoscaler': POD_AUTOSCALER,
  'networking.internal.knative.dev/v1alpha1 ServerlessService': SERVERLESS_SERVICE,
  'apps/v1 Deployment': DEPLOYMENT,
  'v1 Service': CORE_SERVICE,
  'v1 ConfigMap': CONFIG_MAP,
  'v1 Secret': 'v1/secrets',
};

/** Where objects like this one are. */
export function resourceOf(object: KubeObject): string {
  const resource = KINDS[`${object.apiVersion} ${object.kind}`];
  if (resource === undefined)
    throw new Error(`no resource for ${object.apiVersion} ${object.kind}`);
  return resource;
}

/** `namespace` null: over all namespaces, and for kinds that live in none. */
export function pathOf(resource: string, namespace: string | null, name?: string): string {
  const parts = resource.split('/');
  const plural = parts.pop()!;
  const root = parts.length === 1 ? `/api/${parts[0]}` : `/apis/${parts.join('/')}`;
  const isClusterWide = namespace === null || resource === DOMAIN_CLAIM;
  const folder = isClusterWide ? root : `${root}/namespaces/${namespace}`;
  return name === undefined ? `${folder}/${plural}` : `${folder}/${plural}/${name}`;
}
