// Every kind the product knows, as a row of data. The embedded API server derives paths, discovery,
// tables and schemas from these rows, the client derives request paths, the CLI derives names: a
// new kind is a new row here and nothing else.

/** One printer column (KN-142). `path` is a Kubernetes JSONPath without braces. */
export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  path: string;
  /** > 0: only with `-o wide`. */
  priority?: number;
  description?: string;
  format?: string;
}

export interface Kind {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  subresources: readonly ('status' | 'scale' | 'log')[];
  /** True for Knative kinds: no strategic merge patch (KN-173), RV required on PUT (KN-171). */
  custom: boolean;
  columns: readonly PrinterColumn[];
  /** Where a custom kind's `scale` subresource finds its numbers. */
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string };
  /** Fields selectors may name beyond metadata.name and metadata.namespace. */
  selectableFields?: readonly string[];
  /** Said in a Warning header with every answer. */
  deprecation?: string;
}

const READY = '.status.conditions[?(@.type=="Ready")]';
const readyColumns: PrinterColumn[] = [
  { name: 'Ready', type: 'string', path: `${READY}.status` },
  { name: 'Reason', type: 'string', path: `${READY}.reason` },
];
const age: PrinterColumn = { name: 'Age', type: 'date', path: '.metadata.creationTimestamp' };
const text = (name: string, path: string, priority = 0): PrinterColumn => ({
  name,
  type: 'string',
  path,
  priority,
});
const whole = (name: string, path: string): PrinterColumn => ({ name, type: 'integer', path });

type Row = Pick<Kind, 'kind' | 'plural' | 'columns'> & Partial<Kind>;

function row(group: string, version: string, custom: boolean, given: Row): Kind {
  return {
    group,
    version,
    custom,
    singular: given.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    subresources: [],
    ...given,
  };
}

const SERVING = ['all', 'knative', 'serving'];
const serving = (version: string, given: Row): Kind =>
  row('serving.knative.dev', version, true, {
    categories: SERVING,
    subresources: ['status'],
    ...given,
  });
const internal = (group: string, category: string, given: Row): Kind =>
  row(`${group}.internal.knative.dev`, 'v1alpha1', true, {
    categories: ['knative-internal', category],
    subresources: ['status'],
    ...given,
  });
const core = (given: Row): Kind => row('', 'v1', false, given);

// Knative kinds: CP-81 names, CP-82 columns.
export const KnativeService = serving('v1', {
  kind: 'Service',
  plural: 'services',
  shortNames: ['kservice', 'ksvc'],
  columns: [
    text('URL', '.status.url'),
    text('LatestCreated', '.status.latestCreatedRevisionName'),
    text('LatestReady', '.status.latestReadyRevisionName'),
    ...readyColumns,
  ],
});
export const Configuration = serving('v1', {
  kind: 'Configuration',
  plural: 'configurations',
  shortNames: ['config', 'cfg'],
  columns: [
    text('LatestCreated', '.status.latestCreatedRevisionName'),
    text('LatestReady', '.status.latestReadyRevisionName'),
    ...readyColumns,
  ],
});
export const Revision = serving('v1', {
  kind: 'Revision',
  plural: 'revisions',
  shortNames: ['rev'],
  columns: [
    text('Config Name', ".metadata.labels['serving\\.knative\\.dev/configuration']"),
    text('Generation', ".metadata.labels['serving\\.knative\\.dev/configurationGeneration']"),
    ...readyColumns,
    whole('Actual Replicas', '.status.actualReplicas'),
    whole('Desired Replicas', '.status.desiredReplicas'),
  ],
});
export const Route = serving('v1', {
  kind: 'Route',
  plural: 'routes',
  shortNames: ['rt'],
  columns: [text('URL', '.status.url'), ...readyColumns],
});
export const DomainMapping = serving('v1beta1', {
  kind: 'DomainMapping',
  plural: 'domainmappings',
  shortNames: ['dm'],
  columns: [text('URL', '.status.url'), ...readyColumns],
});
export const PodAutoscaler = internal('autoscaling', 'autoscaling', {
  kind: 'PodAutoscaler',
  plural: 'podautoscalers',
  shortNames: ['kpa', 'pa'],
  columns: [
    whole('DesiredScale', '.status.desiredScale'),
    whole('ActualScale', '.status.actualScale'),
    ...readyColumns,
  ],
});
export const Metric = internal('autoscaling', 'autoscaling', {
  kind: 'Metric',
  plural: 'metrics',
  columns: readyColumns,
});
export const Ingress = internal('networking', 'networking', {
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['kingress', 'king'],
  columns: readyColumns,
});
export const ServerlessService = internal('networking', 'networking', {
  kind: 'ServerlessService',
  plural: 'serverlessservices',
  shortNames: ['sks'],
  columns: [
    text('Mode', '.spec.mode'),
    whole('Activators', '.spec.numActivators'),
    text('ServiceName', '.status.serviceName'),
    text('PrivateServiceName', '.status.privateServiceName'),
    ...readyColumns,
  ],
});
export const Certificate = internal('networking', 'networking', {
  kind: 'Certificate',
  plural: 'certificates',
  shortNames: ['kcert'],
  columns: readyColumns,
});
export const ClusterDomainClaim = internal('networking', 'networking', {
  kind: 'ClusterDomainClaim',
  plural: 'clusterdomainclaims',
  shortNames: ['cdc'],
  namespaced: false,
  subresources: [],
  columns: [],
});
export const Image = internal('caching', 'caching', {
  kind: 'Image',
  plural: 'images',
  columns: [text('Image', '.spec.image')],
});

// Built-in kinds. Columns with behaviour of their own (pods, deployments, …) are rendered by
// the API server's table code by kind; the rows here are what is a plain path.
export const Namespace = core({
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  subresources: ['status'],
  columns: [text('Status', '.status.phase'), age],
});
export const Pod = core({
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  subresources: ['status', 'log'],
  columns: [],
});
export const CoreService = core({
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  subresources: ['status'],
  columns: [],
});
export const Endpoints = core({
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  columns: [],
});
export const ConfigMap = core({
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  columns: [],
});
export const Secret = core({ kind: 'Secret', plural: 'secrets', columns: [] });
export const Event = core({ kind: 'Event', plural: 'events', shortNames: ['ev'], columns: [] });
export const Node = core({
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  subresources: ['status'],
  columns: [],
});
export const ServiceAccount = core({
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  columns: [age],
});
export const Deployment = row('apps', 'v1', false, {
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: ['status', 'scale'],
  columns: [],
});
export const EndpointSlice = row('discovery.k8s.io', 'v1', false, {
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  columns: [text('AddressType', '.addressType'), age],
});
export const HorizontalPodAutoscaler = row('autoscaling', 'v2', false, {
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  subresources: ['status'],
  columns: [
    text('Reference', '.spec.scaleTargetRef.name'),
    whole('MinPods', '.spec.minReplicas'),
    whole('MaxPods', '.spec.maxReplicas'),
    whole('Replicas', '.status.currentReplicas'),
    age,
  ],
});
export const Lease = row('coordination.k8s.io', 'v1', false, {
  kind: 'Lease',
  plural: 'leases',
  columns: [text('Holder', '.spec.holderIdentity'), age],
});
export const CustomResourceDefinition = row('apiextensions.k8s.io', 'v1', false, {
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  namespaced: false,
  subresources: ['status'],
  columns: [text('Created At', '.metadata.creationTimestamp')],
});

/** Every kind, core first: `services` must resolve to core before serving.knative.dev (KN-110). */
export const ALL_KINDS: readonly Kind[] = [
  Namespace,
  Pod,
  CoreService,
  Endpoints,
  ConfigMap,
  Secret,
  Event,
  Node,
  ServiceAccount,
  Deployment,
  HorizontalPodAutoscaler,
  EndpointSlice,
  Lease,
  CustomResourceDefinition,
  KnativeService,
  Configuration,
  Revision,
  Route,
  DomainMapping,
  PodAutoscaler,
  Metric,
  Ingress,
  ServerlessService,
  Certificate,
  ClusterDomainClaim,
  Image,
];

/** `v1` for the core group, `group/version` otherwise. */
export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** `plural.group`, or `plural` for the core group: the form error messages use (KN-211). */
export function resourceName(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

export function findKind(apiVersion: string, kindName: string): Kind | undefined {
  return ALL_KINDS.find((kind) => kind.kind === kindName && apiVersionOf(kind) === apiVersion);
}

/** Path of a collection, or of one object when `name` is given (GVR path of the KN notation). */
export function resourcePath(
  kind: Kind,
  namespace: string | undefined,
  name?: string,
  subresource?: string,
): string {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope =
    kind.namespaced && namespace !== undefined && namespace !== ''
      ? `/namespaces/${namespace}`
      : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${base}${scope}/${kind.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`;
}
