// Requests to admission and short ways to read its answers, for the webhook's tests.

import type { AdmissionRequest, AdmissionResponse } from '../../api/admission.ts';
import {
  CONFIG_MAPS,
  type ConfigMember,
  type ServingConfig,
  stockConfig,
} from '../../api/config/registry.ts';
import type { Container } from '../../api/core.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { KnativeService } from '../../api/serving.ts';
import { createAdmission } from '../admit.ts';

export type Maps = Partial<Record<ConfigMember, Record<string, string>>>;

function config(maps: Maps): ServingConfig {
  const members: Record<string, unknown> = { ...stockConfig('cluster.local') };
  for (const row of CONFIG_MAPS) {
    const data = maps[row.member];
    if (data === undefined) continue;
    const parsed = row.parse({ ...row.stock, ...data }, 'cluster.local');
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    members[row.member] = parsed.value;
  }
  return members as unknown as ServingConfig;
}

export function admit(
  object: KubeObject,
  old: KubeObject | null = null,
  maps: Maps = {},
  request: Partial<AdmissionRequest> = {},
): AdmissionResponse {
  const admission = createAdmission({ config: () => config(maps) });
  return admission.admit({
    operation: old === null ? 'CREATE' : 'UPDATE',
    subresource: '',
    dryRun: false,
    userName: 'ann',
    object,
    oldObject: old,
    ...request,
  }) as AdmissionResponse;
}

const PREFIX =
  'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: ';

/** What follows `validation failed: `; `''` when the request is allowed. */
export function complaint(response: AdmissionResponse): string {
  if (response.allowed) return '';
  if (response.code !== 400 || response.reason !== 'BadRequest') throw new Error(response.reason);
  if (!response.message.startsWith(PREFIX)) throw new Error(response.message);
  return response.message.slice(PREFIX.length);
}

export function stored<T extends KubeObject>(response: AdmissionResponse): T {
  if (!response.allowed) throw new Error(response.message);
  return response.object as T;
}

export function service(
  change: (service: KnativeService, container: Container) => void = () => undefined,
): KnativeService {
  const container = { image: 'hello' } as Container;
  const made: KnativeService = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'foo', namespace: 'default' },
    spec: { template: { spec: { containers: [container] } } },
  };
  change(made, container);
  return made;
}

export const secure = { features: { 'secure-pod-defaults': 'Enabled' } };

/** What is wrong, what its author reads after `validation failed: ` (`''` = it passes), config. */
export type RefusalRow = [
  name: string,
  change: (service: KnativeService, container: Container) => void,
  expected: string,
  maps?: Maps,
];

/** Where the only container of `service()` is. */
export const AT = 'spec.template.spec.containers[0]';
export const SPEC = 'spec.template.spec';

export const enabled = (...features: string[]): Maps => ({
  features: Object.fromEntries(features.map((name) => [name, 'Enabled'])),
});
export const allowed = (...features: string[]): Maps => ({
  features: Object.fromEntries(features.map((name) => [name, 'Allowed'])),
});

/** Fields the types do not know, or values they forbid, as a client may send them. */
export function put(target: object, fields: object): void {
  Object.assign(target, fields);
}
