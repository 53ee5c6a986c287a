// The Deployment of a Revision (CP-200 to CP-208), and what an update of a live one changes
// (CP-221). Whether anything changed is decided by a hash label, so hand-made edits of the live
// object and fields that the API server fills in never look like drift. Pure.

import { readInitialScale, readProgressDeadlineMs } from '../../../api/autoscaling-annotations.ts';
import { runtimeClassFor } from '../../../api/config/deployment.ts';
import type { ServingConfig } from '../../../api/config/registry.ts';
import type { Deployment, PodSpec } from '../../../api/core.ts';
import { apiVersionOf, Deployment as DeploymentKind } from '../../../api/kinds.ts';
import {
  DEFAULT_CONTAINER_ANNOTATION,
  DEPLOYMENT_HASH_LABEL,
  REVISION_LABEL,
  REVISION_UID_LABEL,
} from '../../../api/labels.ts';
import { deploymentName } from '../../../api/naming.ts';
import { controllerReference } from '../../../api/objects.ts';
import { type Revision, servingContainer } from '../../../api/serving.ts';
import { makeUserContainer } from '../../../api/user-container.ts';
import { canonicalHash } from './canonical-hash.ts';
import { childLabels, podAnnotations } from './metadata.ts';
import { makeQueueProxy } from './queue-proxy.ts';
import { makePlatformVolumes } from './volumes.ts';

const SPREAD_WEIGHT = 100;

export function makeDeployment(
  revision: Revision,
  config: ServingConfig,
  systemNamespace: string,
): Deployment {
  const { metadata } = revision;
  const labels = childLabels(revision);
  const annotations = podAnnotations(revision);
  const deployment: Deployment = {
    apiVersion: apiVersionOf(DeploymentKind),
    kind: 'Deployment',
    metadata: {
      name: deploymentName(metadata.name),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      annotations,
      ownerReferences: [controllerReference(revision)],
    },
    spec: {
      replicas: readInitialScale(metadata.annotations) ?? config.autoscaler.initialScale,
      progressDeadlineSeconds: progressDeadlineSeconds(revision, config),
      revisionHistoryLimit: 0,
      selector: { matchLabels: { [REVISION_UID_LABEL]: metadata.uid ?? '' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
      template: {
        metadata: {
          labels,
          annotations: {
            ...annotations,
            [DEFAULT_CONTAINER_ANNOTATION]: servingContainer(revision.spec)?.name ?? '',
          },
        },
        spec: makePodSpec(revision, config, systemNamespace),
      },
    },
  };
  const hash = canonicalHash([deployment.spec, annotations, labels]);
  deployment.metadata.labels = { ...labels, [DEPLOYMENT_HASH_LABEL]: hash };
  return deployment;
}

function progressDeadlineSeconds({ metadata }: Revision, config: ServingConfig): number {
  const ms = readProgressDeadlineMs(metadata.annotations);
  return ms === undefined ? config.deployment.progressDeadlineSeconds : Math.trunc(ms / 1000);
}

/** CP-204. */
function makePodSpec(revision: Revision, config: ServingConfig, systemNamespace: string): PodSpec {
  const {
    containerConcurrency,
    timeoutSeconds,
    responseStartTimeoutSeconds,
    idleTimeoutSeconds,
    ...podSpec
  } = revision.spec;
  const { volumes, queueProxyMounts } = makePlatformVolumes(revision, config);
  const allVolumes = [...(podSpec.volumes ?? []), ...volumes];
  const runtimeClassName =
    podSpec.runtimeClassName ?? runtimeClassFor(config.deployment, revision.metadata.labels ?? {});
  const links = podSpec.enableServiceLinks ?? config.defaults.enableServiceLinks;
  return structuredClone({
    ...podSpec,
    containers: [
      ...podSpec.containers.map((container) => makeUserContainer(container, revision, config)),
      makeQueueProxy(revision, config, systemNamespace, queueProxyMounts),
    ],
    ...(allVolumes.length === 0 ? {} : { volumes: allVolumes }),
    ...(timeoutSeconds === undefined ? {} : { terminationGracePeriodSeconds: timeoutSeconds }),
    ...(links === null ? {} : { enableServiceLinks: links }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
    ...affinity(revision, config),
  });
}

function affinity(revision: Revision, config: ServingConfig): { affinity?: object } {
  if (revision.spec.affinity !== undefined) return {};
  if (config.deployment.defaultAffinityType === 'none') return {};
  return {
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: SPREAD_WEIGHT,
            podAffinityTerm: {
              labelSelector: { matchLabels: { [REVISION_LABEL]: revision.metadata.name } },
              topologyKey: 'kubernetes.io/hostname',
            },
          },
        ],
      },
    },
  };
}

/** CP-221: undefined when the live Deployment was made from the same wishes. */
export function updatedDeployment(live: Deployment, desired: Deployment): Deployment | undefined {
  const hash = desired.metadata.labels?.[DEPLOYMENT_HASH_LABEL];
  if (live.metadata.labels?.[DEPLOYMENT_HASH_LABEL] === hash) return undefined;
  const liveTemplate = live.spec.template.metadata;
  const template = desired.spec.template;
  return {
    ...live,
    metadata: {
      ...live.metadata,
      labels: withForeign(desired.metadata.labels, live.metadata.labels),
      annotations: withForeign(desired.metadata.annotations, live.metadata.annotations),
    },
    spec: {
      ...desired.spec,
      ...(live.spec.replicas === undefined ? {} : { replicas: live.spec.replicas }),
      selector: live.spec.selector,
      template: {
        metadata: {
          labels: withForeign(template.metadata?.labels, liveTemplate?.labels),
          annotations: withForeign(template.metadata?.annotations, liveTemplate?.annotations),
        },
        spec: template.spec,
      },
    },
  };
}

/** Keeps what other tools put there, such as `kubectl.kubernetes.io/restartedAt`. */
function withForeign(
  desired: Record<string, string> | undefined,
  live: Record<string, string> | undefined,
): Record<string, string> {
  const foreign = Object.entries(live ?? {}).filter(
    ([key]) => key !== 'app' && !key.includes('knative.dev/'),
  );
  return { ...Object.fromEntries(foreign), ...desired };
}
