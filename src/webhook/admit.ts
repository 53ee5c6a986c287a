// Admission of Knative objects and of the system's ConfigMaps inside an API server of ours:
// defaulting, then validation, in one call (WH-15 to WH-19, KN-178). Stateless; config is read
// afresh for each request. A status write is validated only (WH-50): the API server keeps spec and
// metadata, so there is nothing to fill in. Other subresources pass; WH-10 does not name them.

import type { AdmissionPlugin, AdmissionRequest, AdmissionResponse } from '../api/admission.ts';
import type { ConfigMap } from '../api/core.ts';
import { CLUSTER_DOMAIN } from '../api/labels.ts';
import type { KubeObject } from '../api/objects.ts';
import { configMapProblem, isSystemConfigMap } from './config-maps.ts';
import { decodeObject } from './decode.ts';
import { type AdmittedKind, admittedKind } from './kinds.ts';
import {
  mutate,
  type ReviewContext,
  textOf,
  type Verdict,
  validate,
  type WebhookConfig,
} from './review.ts';

export type { WebhookConfig } from './review.ts';

export interface AdmissionOptions {
  /** The current config maps; `ConfigStore.current` fits. */
  config: () => WebhookConfig;
  /** Default `cluster.local`. */
  clusterDomain?: string;
  tryPod?: ReviewContext['tryPod'];
}

export const MUTATING = 'webhook.serving.knative.dev';
export const VALIDATING = 'validation.webhook.serving.knative.dev';
export const CONFIG = 'config.webhook.serving.knative.dev';
const BAD_REQUEST = 400;

export function createAdmission(options: AdmissionOptions): AdmissionPlugin {
  const clusterDomain = options.clusterDomain ?? CLUSTER_DOMAIN;
  const { tryPod } = options;
  return {
    admit(request) {
      const { object, operation, subresource } = request;
      if (operation === 'DELETE') return allowed(object);
      if (object.kind === 'ConfigMap' && object.apiVersion === 'v1') {
        const map = object as ConfigMap;
        if (subresource !== '' || !isSystemConfigMap(map)) return allowed(object);
        const problem = configMapProblem(map, clusterDomain);
        return problem === null ? allowed(object) : denied(CONFIG, `validation failed: ${problem}`);
      }
      if (subresource !== '' && subresource !== 'status') return allowed(object);
      const admitted = admittedKind(object.apiVersion, object.kind);
      if (admitted === undefined) return allowed(object);
      return admitKnative(request, admitted, { config: options.config(), clusterDomain, tryPod });
    },
  };
}

function admitKnative(
  request: AdmissionRequest,
  { kind, rules }: AdmittedKind,
  context: ReviewContext,
): AdmissionResponse | Promise<AdmissionResponse> {
  if (request.subresource !== '') return judged(request, rules, context);
  let mutated: AdmissionRequest;
  try {
    mutated = { ...request, object: decodeObject(kind, request.object) };
    mutate(mutated, rules, context);
  } catch (error) {
    const reason = `cannot decode incoming new object: ${textOf(error)}`;
    return denied(MUTATING, `mutation failed: ${reason}`);
  }
  return judged(mutated, rules, context);
}

function judged(
  request: AdmissionRequest,
  rules: AdmittedKind['rules'],
  context: ReviewContext,
): AdmissionResponse | Promise<AdmissionResponse> {
  try {
    const verdict = validate(request, rules, context);
    if (!(verdict instanceof Promise)) return respond(verdict, request.object);
    return verdict.then((late) => respond(late, request.object));
  } catch (error) {
    return denied(VALIDATING, `decoding request failed: ${textOf(error)}`);
  }
}

function respond({ message, warnings }: Verdict, object: KubeObject): AdmissionResponse {
  if (message === '') return { allowed: true, object, warnings };
  return denied(VALIDATING, message, warnings);
}

function allowed(object: KubeObject): AdmissionResponse {
  return { allowed: true, object, warnings: [] };
}

function denied(
  webhook: string,
  message: string,
  warnings: readonly string[] = [],
): AdmissionResponse {
  return {
    allowed: false,
    code: BAD_REQUEST,
    reason: 'BadRequest',
    message: `admission webhook "${webhook}" denied the request: ${message}`,
    warnings,
  };
}
