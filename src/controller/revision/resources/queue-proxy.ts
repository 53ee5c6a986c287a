// The sidecar container (CP-210 to CP-215). Its environment is a wire format: names, order and
// values are what existing sidecars of other makers read. Pure.

import { isEnabled } from '../../../api/config/features.ts';
import { observabilityJson } from '../../../api/config/observability.ts';
import type { ServingConfig } from '../../../api/config/registry.ts';
import type { Container, ContainerPort, EnvVar, VolumeMount } from '../../../api/core.ts';
import {
  HTTP_FULL_DUPLEX_ANNOTATION,
  QUEUE_PROXY_CONTAINER,
  SERVICE_LABEL,
} from '../../../api/labels.ts';
import { controllerOf } from '../../../api/objects.ts';
import { type Revision, revisionProtocol, userPort } from '../../../api/serving.ts';
import { queueProxyProbe, sidecarProbeJson } from './probes.ts';
import { queueProxyResources } from './queue-resources.ts';

export const HTTP1_PORT = 8012;
export const H2C_PORT = 8013;
export const HTTPS_PORT = 8112;
const AUTOSCALING_METRICS_PORT = 9090;
const USER_METRICS_PORT = 9091;
const PROFILING_PORT = 8008;
const LOGGING_COMPONENT = 'queueproxy';

export function queueServingPort({ spec }: Revision): number {
  return revisionProtocol(spec) === 'h2c' ? H2C_PORT : HTTP1_PORT;
}

export function makeQueueProxy(
  revision: Revision,
  config: ServingConfig,
  systemNamespace: string,
  volumeMounts: readonly VolumeMount[],
): Container {
  const probe = queueProxyProbe(revision.spec, queueServingPort(revision));
  return {
    name: QUEUE_PROXY_CONTAINER,
    image: config.deployment.queueSidecarImage,
    resources: queueProxyResources(revision, config),
    ports: queuePorts(revision, config),
    env: queueEnv(revision, config, systemNamespace),
    ...(probe === undefined ? {} : { readinessProbe: probe }),
    ...(volumeMounts.length === 0 ? {} : { volumeMounts: [...volumeMounts] }),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

function queuePorts(revision: Revision, config: ServingConfig): ContainerPort[] {
  const isProfiling = config.observability.runtimeProfiling === 'enabled';
  return [
    { name: 'http-autometric', containerPort: AUTOSCALING_METRICS_PORT },
    { name: 'http-usermetric', containerPort: USER_METRICS_PORT },
    ...(isProfiling ? [{ name: 'profiling-port', containerPort: PROFILING_PORT }] : []),
    { name: 'queue-port', containerPort: queueServingPort(revision) },
    { name: 'https-port', containerPort: HTTPS_PORT },
  ];
}

/** CP-212, in its order. */
function queueEnv(revision: Revision, config: ServingConfig, systemNamespace: string): EnvVar[] {
  return [
    ...identityEnv(revision),
    ...requestEnv(revision),
    fieldEnv('SERVING_POD', { fieldPath: 'metadata.name' }),
    fieldEnv('SERVING_POD_IP', { fieldPath: 'status.podIP' }),
    env('SERVING_LOGGING_CONFIG', config.logging.loggerConfig),
    env('SERVING_LOGGING_LEVEL', config.logging.levels[LOGGING_COMPONENT] ?? ''),
    env('USER_PORT', userPort(revision.spec)),
    env('SYSTEM_NAMESPACE', systemNamespace),
    ...featureEnv(revision, config),
    ...drainEnv(config),
  ];
}

function identityEnv(revision: Revision): EnvVar[] {
  const { metadata } = revision;
  const owner = controllerOf(revision);
  return [
    env('SERVING_NAMESPACE', metadata.namespace ?? ''),
    env('SERVING_SERVICE', metadata.labels?.[SERVICE_LABEL] ?? ''),
    env('SERVING_CONFIGURATION', owner?.kind === 'Configuration' ? owner.name : ''),
    env('SERVING_REVISION', metadata.name),
  ];
}

function requestEnv(revision: Revision): EnvVar[] {
  const { spec } = revision;
  return [
    env('QUEUE_SERVING_PORT', queueServingPort(revision)),
    env('QUEUE_SERVING_TLS_PORT', HTTPS_PORT),
    env('CONTAINER_CONCURRENCY', spec.containerConcurrency ?? 0),
    env('REVISION_TIMEOUT_SECONDS', spec.timeoutSeconds ?? 0),
    env('REVISION_RESPONSE_START_TIMEOUT_SECONDS', spec.responseStartTimeoutSeconds ?? 0),
    env('REVISION_IDLE_TIMEOUT_SECONDS', spec.idleTimeoutSeconds ?? 0),
  ];
}

function featureEnv(revision: Revision, config: ServingConfig): EnvVar[] {
  const { features, deployment } = config;
  const isMultiContainer = isEnabled(features, 'multi-container-probing');
  const fullDuplex = revision.metadata.annotations?.[HTTP_FULL_DUPLEX_ANNOTATION] ?? '';
  return [
    env('SERVING_READINESS_PROBE', sidecarProbeJson(revision.spec, isMultiContainer)),
    fieldEnv('HOST_IP', { apiVersion: 'v1', fieldPath: 'status.hostIP' }),
    env('ENABLE_HTTP2_AUTO_DETECTION', isEnabled(features, 'autodetect-http2')),
    env('ENABLE_HTTP_FULL_DUPLEX', fullDuplex.toLowerCase() === 'enabled'),
    env('ROOT_CA', deployment.queueSidecarRootCa),
    env('QUEUE_PROXY_TLS_MIN_VERSION', deployment.queueSidecarTls.minVersion),
    env('QUEUE_PROXY_TLS_MAX_VERSION', deployment.queueSidecarTls.maxVersion),
    env('QUEUE_PROXY_TLS_CIPHER_SUITES', deployment.queueSidecarTls.cipherSuites),
    env('QUEUE_PROXY_TLS_CURVE_PREFERENCES', deployment.queueSidecarTls.curvePreferences),
    env('ENABLE_MULTI_CONTAINER_PROBES', isMultiContainer),
    env('OBSERVABILITY_CONFIG', observabilityJson(config.observability)),
  ];
}

/** Ours, only where the config map asks for it: other makers' sidecars do not know it. */
function drainEnv({ deployment }: ServingConfig): EnvVar[] {
  if (deployment.queueSidecarDrainQuietMs === null) return [];
  return [env('QUEUE_DRAIN_QUIET_SECONDS', deployment.queueSidecarDrainQuietMs / 1000)];
}

function env(name: string, value: string | number | boolean): EnvVar {
  return { name, value: String(value) };
}

function fieldEnv(name: string, fieldRef: { apiVersion?: string; fieldPath: string }): EnvVar {
  return { name, valueFrom: { fieldRef } };
}
