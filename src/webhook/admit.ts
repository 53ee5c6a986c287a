// Admission of Knative objects and of the system's ConfigMaps: defaulting, then validation, in one
// call (WH-15 to WH-19, KN-178). Stateless; config is read afresh for each request. Subresources
// pass at once: they are written by controllers only, many times a second, and change no spec.

import type { AdmissionPlugin, AdmissionRequest, AdmissionResponse } from '../api/admission.ts';
import type { ConfigMap } from '../api/core.ts';
import { renderErrors } from '../api/field-errors.ts';
import { CLUSTER_DOMAIN, CREATOR_ANNOTATION, LAST_MODIFIER_ANNOTATION } from '../api/labels.ts';
import type { KubeObject } from '../api/objects.ts';
import { deepEqualJson } from '../api/validation/diff.ts';
import type { ValidationConfig } from '../api/validation/metadata.ts';
import type { Clock } from '../clock/clock.ts';
import { configMapProblem } from './config-maps.ts';
import { type Admission, carriesUserInfo, type KindRules, rulesFor } from './kinds.ts';

export type WebhookConfig = ValidationConfig;

export interface AdmissionOptions {
  /** The current config maps; `ConfigStore.current` fits. */
  config: () => WebhookConfig;
  clock: Clock;
  /** Default `cluster.local`. */
  clusterDomain?: string;
}

const MUTATING = 'webhook.serving.knative.dev';
const VALIDATING = 'validation.webhook.serving.knative.dev';
const CONFIG = 'config.webhook.serving.knative.dev';
const BAD_REQUEST = 400;

type WithSpec = KubeObject & { spec?: unknown };

export function createAdmission(options: AdmissionOptions): AdmissionPlugin {
  const clusterDomain = options.clusterDomain ?? CLUSTER_DOMAIN;
  return {
    admit(request) {
      const { object, operation, subresource } = request;
      if (operation === 'DELETE' || subresource !== '') return allowed(object);
      if (object.kind === 'ConfigMap' && object.apiVersion === 'v1') {
        const problem = configMapProblem(object as ConfigMap, clusterDomain);
        return problem === null ? allowed(object) : denied(CONFIG, `validation failed: ${problem}`);
      }
      const rules = rulesFor(object);
      if (rules === undefined) return allowed(object);
      return admitKnative(request, rules, options.config(), clusterDomain);
    },
  };
}

function admitKnative(
  request: AdmissionRequest,
  rules: KindRules,
  config: WebhookConfig,
  clusterDomain: string,
): AdmissionResponse {
  const object: WithSpec = structuredClone(request.object);
  const old: WithSpec | null = request.operation === 'UPDATE' ? request.oldObject : null;
  const admission: Admission<KubeObject> = { object, old, config, clusterDomain };
  try {
    // An object on its way out is changed by finalizers only.
    if (object.metadata.deletionTimestamp !== undefined) return allowed(request.object);
    rules.setDefaults?.(admission);
    setUserInfo(request.userName, rules, admission);
  } catch (error) {
    return denied(MUTATING, `mutation failed: cannot decode incoming new object: ${text(error)}`);
  }
  try {
    const errors = rules.validate(admission);
    const message = renderErrors(errors);
    if (message !== '') return denied(VALIDATING, `validation failed: ${message}`);
    const warnings = renderErrors(errors, 'warning');
    return { allowed: true, object, warnings: warnings === '' ? [] : warnings.split('\n') };
  } catch (error) {
    return denied(VALIDATING, `decoding request failed: ${text(error)}`);
  }
}

/** WH-31. */
function setUserInfo(userName: string, rules: KindRules, admission: Admission<WithSpec>): void {
  const { object, old, config, clusterDomain } = admission;
  if (!carriesUserInfo(rules, object)) return;
  const annotations = { ...object.metadata.annotations };
  if (old === null) {
    annotations[CREATOR_ANNOTATION] = userName;
    annotations[LAST_MODIFIER_ANNOTATION] = userName;
  } else {
    const before: WithSpec = structuredClone(old);
    rules.setDefaults?.({ object: before, old: before, config, clusterDomain });
    if (deepEqualJson(object.spec, before.spec)) return;
    annotations[LAST_MODIFIER_ANNOTATION] = userName;
  }
  object.metadata.annotations = annotations;
}

function allowed(object: KubeObject): AdmissionResponse {
  return { allowed: true, object, warnings: [] };
}

function denied(webhook: string, message: string): AdmissionResponse {
  return {
    allowed: false,
    code: BAD_REQUEST,
    reason: 'BadRequest',
    message: `admission webhook "${webhook}" denied the request: ${message}`,
  };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
