// The pod a template would become, for asking the API server whether it would take it (WH-180):
// user containers only, without the sidecar and the volumes that come with it. Pure.

import type { ServingConfig } from '../api/config/registry.ts';
import type { Pod } from '../api/core.ts';
import { defaultRevisionSpec } from '../api/defaulting.ts';
import type { ObjectMeta } from '../api/objects.ts';
import type { Revision, RevisionTemplate } from '../api/serving.ts';
import { makeUserContainer } from '../api/user-container.ts';

export type DryRunConfig = Pick<ServingConfig, 'defaults' | 'features'>;

const NAME = 'dry-run-validation';
const UNSUPPORTED = 'does not support dry run';

export function dryRunPod(
  template: RevisionTemplate,
  parent: ObjectMeta,
  config: DryRunConfig,
): Pod {
  const spec = structuredClone(template.spec);
  defaultRevisionSpec(spec, config, { parent, isCreate: true });
  const namespace = parent.namespace ?? 'default';
  const revision: Revision = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { ...template.metadata, name: template.metadata?.name ?? '', namespace },
    spec,
  };
  // The log volume is the sidecar's affair.
  const settings = { features: config.features, observability: { enableVarLogCollection: false } };
  const {
    containerConcurrency: _concurrency,
    timeoutSeconds,
    responseStartTimeoutSeconds: _start,
    idleTimeoutSeconds: _idle,
    ...podSpec
  } = spec;
  const containers = spec.containers.map((each) => makeUserContainer(each, revision, settings));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: NAME, namespace } as ObjectMeta,
    spec: { ...podSpec, containers, terminationGracePeriodSeconds: timeoutSeconds ?? 0 },
  } as Pod;
}

/** Other webhooks of the cluster may refuse every dry run; that says nothing about the pod. */
export function isUnsupported(reason: string): boolean {
  return reason.includes(UNSUPPORTED);
}
