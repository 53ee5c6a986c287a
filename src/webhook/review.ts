// The two halves of admission of one Knative object: mutation (section 5 of WH) and validation
// (sections 6 to 16). In-process they run after one another, over HTTPS they are two requests.
// Both get objects that are decoded already. Pure but for the dry run of pods, which is handed in.

import type { AdmissionRequest } from '../api/admission.ts';
import type { ServingConfig } from '../api/config/registry.ts';
import { renderErrors } from '../api/field-errors.ts';
import { CREATOR_ANNOTATION, LAST_MODIFIER_ANNOTATION, SERVICE_LABEL } from '../api/labels.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Configuration, KnativeService } from '../api/serving.ts';
import { deepEqualJson } from '../api/validation/diff.ts';
import { type DryRunConfig, dryRunPod, isUnsupported } from './dry-run.ts';
import { type Admission, carriesUserInfo, type KindRules } from './kinds.ts';

export type WebhookConfig = Pick<ServingConfig, 'autoscaler' | 'defaults' | 'features'>;

export interface ReviewContext {
  readonly config: WebhookConfig & DryRunConfig;
  readonly clusterDomain: string;
  /** Asks the API whether it would take the pod (WH-180); rejects with its reason. Absent = no. */
  readonly tryPod?: ((pod: KubeObject) => Promise<unknown>) | undefined;
}

export interface Verdict {
  /** Whole text of the refusal; `''` = allowed. */
  readonly message: string;
  /** One string per line (WH-17). */
  readonly warnings: readonly string[];
}

type WithSpec = KubeObject & { spec?: unknown };

const STATUS = 'status';

function admissionOf(
  request: AdmissionRequest,
  { config, clusterDomain }: ReviewContext,
): Admission<KubeObject> {
  const { object, oldObject, operation, subresource } = request;
  const isCreate = operation === 'CREATE';
  const old = isCreate ? null : oldObject;
  return { object, old, isCreate, isStatus: subresource === STATUS, config, clusterDomain };
}

/** WH-30 to WH-42; changes `request.object`, which must be the caller's own copy. */
export function mutate(request: AdmissionRequest, rules: KindRules, context: ReviewContext): void {
  const admission = admissionOf(request, context);
  // An object on its way out is changed by finalizers only.
  if (admission.object.metadata.deletionTimestamp !== undefined) return;
  rules.setDefaults?.(admission);
  if (carriesUserInfo(rules, admission.object)) setUserInfo(request.userName, rules, admission);
}

/** WH-31, WH-18: against the old object as it would be defaulted today. */
function setUserInfo(userName: string, rules: KindRules, admission: Admission<WithSpec>): void {
  const { object, old } = admission;
  const annotations = { ...object.metadata.annotations };
  if (old === null) {
    annotations[CREATOR_ANNOTATION] = userName;
    annotations[LAST_MODIFIER_ANNOTATION] = userName;
  } else {
    const baseline: WithSpec = structuredClone(old);
    rules.setDefaults?.({ ...admission, object: baseline, old: null });
    if (deepEqualJson(object.spec, baseline.spec)) return;
    annotations[LAST_MODIFIER_ANNOTATION] = userName;
  }
  object.metadata.annotations = annotations;
}

/** WH-50 to WH-163, and WH-180. Never changes the objects. */
export function validate(
  request: AdmissionRequest,
  rules: KindRules,
  context: ReviewContext,
): Verdict | Promise<Verdict> {
  const admission = admissionOf(request, context);
  if (admission.object.metadata.deletionTimestamp !== undefined) return ALLOWED;
  const errors = admission.isStatus
    ? (rules.validateStatus?.(admission) ?? [])
    : rules.validate(admission);
  const warned = renderErrors(errors, 'warning');
  const warnings = warned === '' ? [] : warned.split('\n');
  const message = renderErrors(errors);
  if (message !== '') return { message: `validation failed: ${message}`, warnings };
  if (!request.dryRun || admission.isStatus || !hasDryRun(admission.object)) {
    return { message: '', warnings };
  }
  return dryRun(admission.object, warnings, context);
}

const ALLOWED: Verdict = { message: '', warnings: [] };

function hasDryRun({ kind, metadata }: KubeObject): boolean {
  if (kind === 'Service') return true;
  return kind === 'Configuration' && metadata.labels?.[SERVICE_LABEL] === undefined;
}

/** WH-180. */
async function dryRun(
  object: KubeObject,
  warnings: readonly string[],
  { config, tryPod }: ReviewContext,
): Promise<Verdict> {
  if (tryPod === undefined) return { message: '', warnings };
  const { spec } = object as KnativeService | Configuration;
  try {
    await tryPod(dryRunPod(spec.template, object.metadata, config));
    return { message: '', warnings };
  } catch (error) {
    const reason = textOf(error);
    if (isUnsupported(reason)) return { message: '', warnings };
    const message = `validation callback failed: dry run failed with ${reason}: spec.template`;
    return { message, warnings };
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
