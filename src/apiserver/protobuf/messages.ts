// Field numbers of the built-in messages that clients send as protobuf (KN-135). Data only; the
// numbers are those of the published .proto files. Fields not listed are skipped.

export type FieldType =
  | 'string'
  | 'bytes'
  | 'int32'
  | 'int64'
  | 'bool'
  | 'stringMap'
  | 'bytesMap'
  | 'time'
  | 'intOrString'
  | 'quantityMap'
  | MessageShape;

export interface FieldShape {
  name: string;
  type: FieldType;
  repeated?: true;
}

export interface MessageShape {
  readonly [fieldNumber: number]: FieldShape;
}

const text = (name: string): FieldShape => ({ name, type: 'string' });
const texts = (name: string): FieldShape => ({ name, type: 'string', repeated: true });
const flag = (name: string): FieldShape => ({ name, type: 'bool' });
const int32 = (name: string): FieldShape => ({ name, type: 'int32' });
const int64 = (name: string): FieldShape => ({ name, type: 'int64' });
const one = (name: string, type: FieldType): FieldShape => ({ name, type });
const many = (name: string, type: FieldType): FieldShape => ({ name, type, repeated: true });

const OwnerReference: MessageShape = {
  1: text('kind'),
  3: text('name'),
  4: text('uid'),
  5: text('apiVersion'),
  6: flag('controller'),
  7: flag('blockOwnerDeletion'),
};

const ObjectMeta: MessageShape = {
  1: text('name'),
  2: text('generateName'),
  3: text('namespace'),
  5: text('uid'),
  6: text('resourceVersion'),
  7: int64('generation'),
  8: one('creationTimestamp', 'time'),
  9: one('deletionTimestamp', 'time'),
  10: int64('deletionGracePeriodSeconds'),
  11: one('labels', 'stringMap'),
  12: one('annotations', 'stringMap'),
  13: many('ownerReferences', OwnerReference),
  14: texts('finalizers'),
};
const metadata = one('metadata', ObjectMeta);

const LabelSelector: MessageShape = {
  1: one('matchLabels', 'stringMap'),
  2: many('matchExpressions', { 1: text('key'), 2: text('operator'), 3: texts('values') }),
};

const Container: MessageShape = {
  1: text('name'),
  2: text('image'),
  3: texts('command'),
  4: texts('args'),
  5: text('workingDir'),
  6: many('ports', {
    1: text('name'),
    2: int32('hostPort'),
    3: int32('containerPort'),
    4: text('protocol'),
    5: text('hostIP'),
  }),
  7: many('env', { 1: text('name'), 2: text('value') }),
  8: one('resources', { 1: one('limits', 'quantityMap'), 2: one('requests', 'quantityMap') }),
  14: text('imagePullPolicy'),
};

const PodTemplate: MessageShape = {
  1: metadata,
  2: one('spec', {
    2: many('containers', Container),
    3: text('restartPolicy'),
    4: int64('terminationGracePeriodSeconds'),
    8: text('serviceAccountName'),
    20: many('initContainers', Container),
  }),
};

const ResourceAttributes: MessageShape = {
  1: text('namespace'),
  2: text('verb'),
  3: text('group'),
  4: text('version'),
  5: text('resource'),
  6: text('subresource'),
  7: text('name'),
};

const AccessReviewSpec: MessageShape = {
  1: one('resourceAttributes', ResourceAttributes),
  2: one('nonResourceAttributes', { 1: text('path'), 2: text('verb') }),
};

/** By `apiVersion/kind`. */
export const MESSAGES: Readonly<Record<string, MessageShape>> = {
  'v1/Namespace': {
    1: metadata,
    2: one('spec', { 1: texts('finalizers') }),
    3: one('status', { 1: text('phase') }),
  },
  'v1/ConfigMap': {
    1: metadata,
    2: one('data', 'stringMap'),
    3: one('binaryData', 'bytesMap'),
    4: flag('immutable'),
  },
  'v1/Secret': {
    1: metadata,
    2: one('data', 'bytesMap'),
    3: text('type'),
    4: one('stringData', 'stringMap'),
    5: flag('immutable'),
  },
  'v1/ServiceAccount': {
    1: metadata,
    3: many('imagePullSecrets', { 1: text('name') }),
    4: flag('automountServiceAccountToken'),
  },
  'v1/Service': {
    1: metadata,
    2: one('spec', {
      1: many('ports', {
        1: text('name'),
        2: text('protocol'),
        3: int32('port'),
        4: one('targetPort', 'intOrString'),
        5: int32('nodePort'),
        6: text('appProtocol'),
      }),
      2: one('selector', 'stringMap'),
      3: text('clusterIP'),
      4: text('type'),
      5: texts('externalIPs'),
      7: text('sessionAffinity'),
      10: text('externalName'),
    }),
  },
  'v1/Event': {
    1: metadata,
    2: one('involvedObject', {
      1: text('kind'),
      2: text('namespace'),
      3: text('name'),
      4: text('uid'),
      5: text('apiVersion'),
      6: text('resourceVersion'),
      7: text('fieldPath'),
    }),
    3: text('reason'),
    4: text('message'),
    5: one('source', { 1: text('component'), 2: text('host') }),
    6: one('firstTimestamp', 'time'),
    7: one('lastTimestamp', 'time'),
    8: int32('count'),
    9: text('type'),
    14: text('reportingComponent'),
    15: text('reportingInstance'),
  },
  'apps/v1/Deployment': {
    1: metadata,
    2: one('spec', {
      1: int32('replicas'),
      2: one('selector', LabelSelector),
      3: one('template', PodTemplate),
      5: int32('minReadySeconds'),
      6: int32('revisionHistoryLimit'),
      7: flag('paused'),
      9: int32('progressDeadlineSeconds'),
    }),
  },
  'authorization.k8s.io/v1/SelfSubjectAccessReview': {
    1: metadata,
    2: one('spec', AccessReviewSpec),
  },
  'authorization.k8s.io/v1/SelfSubjectRulesReview': {
    1: metadata,
    2: one('spec', { 1: text('namespace') }),
  },
  'authentication.k8s.io/v1/SelfSubjectReview': { 1: metadata },
};

/** DeleteOptions travel under the version of whatever they delete. */
export const DELETE_OPTIONS: MessageShape = {
  1: int64('gracePeriodSeconds'),
  2: one('preconditions', { 1: text('uid'), 2: text('resourceVersion') }),
  3: flag('orphanDependents'),
  4: text('propagationPolicy'),
  5: texts('dryRun'),
};
