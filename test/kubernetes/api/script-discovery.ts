// Discovery and the documents about the server itself. The real server knows more kinds: documents are
// compared by what ours names (see `shared` in compare.ts).

import { get, post, type Step } from './step.ts';

const AGGREGATED =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

export const discoverySteps: Step[] = [
  get('discovery: versions', '/api'),
  get('discovery: core', '/api/v1'),
  get('discovery: groups', '/apis'),
  get('discovery: apps', '/apis/apps'),
  get('discovery: apps/v1', '/apis/apps/v1'),
  get('discovery: serving', '/apis/serving.knative.dev'),
  get('discovery: serving v1', '/apis/serving.knative.dev/v1'),
  get('discovery: networking', '/apis/networking.internal.knative.dev/v1alpha1'),
  get('discovery: autoscaling', '/apis/autoscaling.internal.knative.dev/v1alpha1'),
  get('discovery: leases', '/apis/coordination.k8s.io/v1'),
  get('discovery: slices', '/apis/discovery.k8s.io/v1'),
  get('discovery: autoscalers', '/apis/autoscaling/v2'),
  get('discovery: aggregated core', '/api', { accept: AGGREGATED }),
  get('discovery: aggregated groups', '/apis', { accept: AGGREGATED }),
  get('discovery: a group nobody knows', '/apis/nobody.example.com'),
  get('health: live', '/livez'),
  get('health: ready', '/readyz'),
  get('health: healthy', '/healthz'),
  get('version', '/version'),
  post('review: may I', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { verb: 'get', resource: 'pods', namespace: '$ns' } },
  }),
  post('review: who am I', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
  }),
];
