// What admission does for each kind: fill in (section 5), then check (sections 6 to 16). One row
// per kind of WH-12; everything else passes untouched.

import type { Metric, PodAutoscaler } from '../api/autoscaling.ts';
import { defaultMetricOf } from '../api/autoscaling-annotations.ts';
import {
  defaultRevisionSpec,
  defaultServiceTraffic,
  defaultTemplate,
  defaultTrafficTargets,
} from '../api/defaulting.ts';
import { type FieldError, missingField, underPath } from '../api/field-errors.ts';
import type { Kind } from '../api/kinds.ts';
import * as kinds from '../api/kinds.ts';
import {
  AUTOSCALING_CLASS_ANNOTATION,
  AUTOSCALING_METRIC_ANNOTATION,
  CONFIGURATION_LABEL,
  SERVICE_LABEL,
} from '../api/labels.ts';
import type { Certificate, Ingress, ServerlessService } from '../api/networking.ts';
import type { KubeObject } from '../api/objects.ts';
import type {
  Configuration,
  DomainMapping,
  KnativeService,
  Revision,
  RevisionTemplate,
  Route,
} from '../api/serving.ts';
import { validateDomainMapping } from '../api/validation/domain-mapping.ts';
import {
  validateCertificate,
  validateIngress,
  validateMetric,
  validatePodAutoscaler,
  validateServerlessService,
} from '../api/validation/internal-kinds.ts';
import {
  type ValidationConfig,
  validateName,
  validateNoAutoscalingKeys,
  validateOwnerLabel,
  validateRolloutDuration,
  validateUserInfo,
} from '../api/validation/metadata.ts';
import {
  validateImmutableSpec,
  validateNameChange,
  validateRevisionAnnotations,
  validateRevisionSpec,
  validateTemplate,
} from '../api/validation/revision.ts';
import { validateTraffic } from '../api/validation/traffic.ts';

/** One request as the rows see it; `object` is the request's own copy. */
export interface Admission<T extends KubeObject> {
  readonly object: T;
  /** null = there is none, or it does not matter. */
  readonly old: T | null;
  readonly isCreate: boolean;
  /** Of the `status` subresource: metadata and spec are what they were. */
  readonly isStatus: boolean;
  readonly config: ValidationConfig;
  readonly clusterDomain: string;
}

export interface KindRules<T extends KubeObject = KubeObject> {
  /** Changes `object` in place. */
  setDefaults?(admission: Admission<T>): void;
  validate(admission: Admission<T>): FieldError[];
  /** WH-50: what a write of the status is checked for; absent = nothing. */
  validateStatus?(admission: Admission<T>): FieldError[];
  /** WH-31: who is named as creator and last modifier. */
  readonly userInfo: 'always' | 'unowned' | 'never';
}

const isOwned = ({ metadata }: KubeObject): boolean => (metadata.ownerReferences?.length ?? 0) > 0;

/** WH-30: a named template that keeps its name is left as it is. */
function defaultUnlessNamed(
  template: RevisionTemplate | undefined,
  old: RevisionTemplate | undefined,
  { object, isCreate, config }: Admission<KubeObject>,
): void {
  if (template === undefined) return;
  const name = template.metadata?.name;
  if (name && old?.metadata?.name === name) return;
  defaultTemplate(template, config, { parent: object.metadata, isCreate });
}

function validateTemplated({
  object,
  config,
}: Admission<KnativeService> | Admission<Configuration>): FieldError[] {
  const { template } = object.spec ?? {};
  if (template === undefined) return [missingField('spec.template')];
  return underPath('spec.template', validateTemplate(template, object.metadata, config));
}

/** WH-65. */
function nameChange({
  object,
  old,
}: Admission<KnativeService> | Admission<Configuration>): FieldError[] {
  const [template, before] = [object.spec?.template, old?.spec?.template];
  return template === undefined || before === undefined ? [] : validateNameChange(template, before);
}

/** WH-55. */
const userInfo = ({ object, old }: Admission<KubeObject>): FieldError[] =>
  old === null ? [] : validateUserInfo(object, old);

const service: KindRules<KnativeService> = {
  userInfo: 'always',
  setDefaults(admission) {
    const { object, old } = admission;
    defaultUnlessNamed(object.spec?.template, old?.spec?.template, admission);
    if (object.spec !== undefined) defaultServiceTraffic(object.spec);
  },
  validate: (admission) => [
    ...validateName(admission.object.metadata),
    ...validateNoAutoscalingKeys(admission.object),
    ...validateRolloutDuration(admission.object),
    ...validateTemplated(admission),
    ...validateTraffic(admission.object.spec?.traffic ?? [], 'Service'),
    ...nameChange(admission),
    ...userInfo(admission),
  ],
  validateStatus: (admission) => [...nameChange(admission), ...userInfo(admission)],
};

const configuration: KindRules<Configuration> = {
  userInfo: 'unowned',
  setDefaults(admission) {
    const { object, old } = admission;
    defaultUnlessNamed(object.spec?.template, old?.spec?.template, admission);
  },
  validate: (admission) => [
    ...validateName(admission.object.metadata),
    ...validateNoAutoscalingKeys(admission.object),
    ...validateOwnerLabel(admission.object, SERVICE_LABEL, 'Service'),
    ...validateTemplated(admission),
    ...nameChange(admission),
    ...unownedUserInfo(admission),
  ],
  validateStatus: (admission) => [...nameChange(admission), ...unownedUserInfo(admission)],
};

const validateRoute = (admission: Admission<Route>): FieldError[] => [
  ...validateName(admission.object.metadata),
  ...validateNoAutoscalingKeys(admission.object),
  ...validateRolloutDuration(admission.object),
  ...validateOwnerLabel(admission.object, SERVICE_LABEL, 'Service'),
  ...validateTraffic(admission.object.spec?.traffic ?? [], 'Route'),
  ...unownedUserInfo(admission),
];

const route: KindRules<Route> = {
  userInfo: 'unowned',
  setDefaults: ({ object }) => defaultTrafficTargets(object.spec?.traffic ?? []),
  validate: validateRoute,
  validateStatus: validateRoute,
};

const validateRevision = ({ object, old, config }: Admission<Revision>): FieldError[] => [
  ...validateName(object.metadata),
  ...validateOwnerLabel(object, CONFIGURATION_LABEL, 'Configuration'),
  ...validateRevisionAnnotations(object.metadata.annotations, config),
  ...(old === null
    ? underPath('spec', validateRevisionSpec(object.spec ?? { containers: [] }, config))
    : validateImmutableSpec(object, old)),
];

const revision: KindRules<Revision> = {
  userInfo: 'never',
  setDefaults({ object, isCreate, config }) {
    if (!isCreate || object.spec === undefined) return;
    defaultRevisionSpec(object.spec, config, { parent: object.metadata, isCreate: true });
  },
  validate: validateRevision,
  validateStatus: validateRevision,
};

const validateMapping = (admission: Admission<DomainMapping>): FieldError[] => [
  ...validateDomainMapping(admission.object, admission.clusterDomain),
  ...userInfo(admission),
];

const domainMapping: KindRules<DomainMapping> = {
  userInfo: 'always',
  setDefaults({ object }) {
    const { namespace } = object.metadata;
    if (object.spec?.ref && namespace !== undefined) object.spec.ref.namespace ||= namespace;
  },
  validate: validateMapping,
  validateStatus: validateMapping,
};

/** WH-42. */
const podAutoscaler: KindRules<PodAutoscaler> = {
  userInfo: 'never',
  setDefaults({ object: { metadata }, config }) {
    const annotations = { ...metadata.annotations };
    annotations[AUTOSCALING_CLASS_ANNOTATION] ??= config.autoscaler.podAutoscalerClass;
    annotations[AUTOSCALING_METRIC_ANNOTATION] ??= defaultMetricOf(
      annotations[AUTOSCALING_CLASS_ANNOTATION],
    );
    metadata.annotations = annotations;
  },
  validate: ({ object, config }) => validatePodAutoscaler(object, config),
};

/** WH-42. */
const ingress: KindRules<Ingress> = {
  userInfo: 'never',
  setDefaults({ object }) {
    for (const rule of object.spec?.rules ?? []) {
      rule.visibility ||= 'ExternalIP';
      for (const { splits } of rule.http?.paths ?? []) {
        const only = splits?.length === 1 ? splits[0] : undefined;
        if (only !== undefined && (only.percent ?? 0) === 0) only.percent = 100;
      }
    }
  },
  validate: ({ object }) => validateIngress(object),
};

const metric: KindRules<Metric> = {
  userInfo: 'never',
  validate: ({ object, config }) => validateMetric(object, config),
};
const serverlessService: KindRules<ServerlessService> = {
  userInfo: 'never',
  validate: ({ object }) => validateServerlessService(object),
};
const certificate: KindRules<Certificate> = {
  userInfo: 'never',
  validate: ({ object }) => validateCertificate(object),
};

function unownedUserInfo(admission: Admission<KubeObject>): FieldError[] {
  return isOwned(admission.object) ? [] : userInfo(admission);
}

/** WH-31: whether this object carries user names. */
export function carriesUserInfo(rules: KindRules, object: KubeObject): boolean {
  return rules.userInfo === 'always' || (rules.userInfo === 'unowned' && !isOwned(object));
}

/** WH-12, in the order of its rules: by group, version and resource. */
const ROWS: readonly (readonly [Kind, KindRules<never>])[] = [
  [kinds.Metric, metric],
  [kinds.PodAutoscaler, podAutoscaler],
  [kinds.Certificate, certificate],
  [kinds.Ingress, ingress],
  [kinds.ServerlessService, serverlessService],
  [kinds.Configuration, configuration],
  [kinds.Revision, revision],
  [kinds.Route, route],
  [kinds.KnativeService, service],
  [kinds.DomainMapping, domainMapping],
];
export const ADMITTED_KINDS: readonly Kind[] = ROWS.map(([kind]) => kind);

export interface AdmittedKind {
  readonly kind: Kind;
  readonly rules: KindRules;
}

const BY_NAME = new Map<string, AdmittedKind>(
  ROWS.map(([kind, rules]) => [
    `${kinds.apiVersionOf(kind)}/${kind.kind}`,
    // Each row sees only objects of its own kind: the key names it.
    { kind, rules: rules as unknown as KindRules },
  ]),
);

export function admittedKind(apiVersion: string, kind: string): AdmittedKind | undefined {
  return BY_NAME.get(`${apiVersion}/${kind}`);
}
