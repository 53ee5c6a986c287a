// A user container as it runs in the pod (CP-206, CP-207): the drain hook, the contract's
// environment variables, the resolved image, and no readiness probe of its own where the sidecar
// runs it. Pure.

import { isEnabled } from './config/features.ts';
import type { ServingConfig } from './config/registry.ts';
import type { Container, EnvVar, Probe } from './core.ts';
import { CONFIGURATION_LABEL, SERVICE_LABEL } from './labels.ts';
import { type Revision, servingContainer, userPort } from './serving.ts';

export const ADMIN_PORT = 8022;
export const DRAIN_PATH = '/wait-for-drain';
const USER_PORT_NAME = 'user-port';
const VAR_LOG_VOLUME = 'knative-var-log';

export interface UserContainerConfig {
  readonly features: ServingConfig['features'];
  readonly observability: Pick<ServingConfig['observability'], 'enableVarLogCollection'>;
}

export function makeUserContainer(
  container: Container,
  revision: Revision,
  config: UserContainerConfig,
): Container {
  const isServing = container === servingContainer(revision.spec);
  const { readinessProbe, livenessProbe, ...rest } = container;
  const made: Container = {
    ...rest,
    ...(isServing ? { ports: [servingPort(revision)] } : {}),
    ...resolvedImage(container, revision),
    ...keptReadinessProbe(readinessProbe),
    ...liveness(livenessProbe, isServing, revision, config),
    lifecycle: { preStop: { httpGet: { port: ADMIN_PORT, path: DRAIN_PATH } } },
    terminationMessagePolicy: container.terminationMessagePolicy || 'FallbackToLogsOnError',
    env: [...(container.env ?? []), ...contractEnv(revision, isServing)],
  };
  return config.observability.enableVarLogCollection ? withVarLog(made) : made;
}

function servingPort({ spec }: Revision): { containerPort: number; name: string } {
  return { containerPort: userPort(spec), name: USER_PORT_NAME };
}

function resolvedImage(container: Container, { status }: Revision): { image?: string } {
  const digest = status?.containerStatuses?.find(
    ({ name }) => name === container.name,
  )?.imageDigest;
  return digest ? { image: digest } : {};
}

/** The sidecar runs every handler but exec. */
function keptReadinessProbe(probe: Probe | undefined): { readinessProbe?: Probe } {
  return probe?.exec === undefined ? {} : { readinessProbe: probe };
}

function liveness(
  probe: Probe | undefined,
  isServing: boolean,
  { spec }: Revision,
  config: UserContainerConfig,
): { livenessProbe?: Probe } {
  if (probe === undefined) return {};
  if (!isServing) return { livenessProbe: probe };
  const onlyIfUnset = isEnabled(config.features, 'multi-container-probing');
  return { livenessProbe: withUserPort(probe, userPort(spec), onlyIfUnset) };
}

/** RC-1, RC-2. */
function contractEnv({ metadata, spec }: Revision, isServing: boolean): EnvVar[] {
  return [
    ...(isServing ? [{ name: 'PORT', value: String(userPort(spec)) }] : []),
    { name: 'K_REVISION', value: metadata.name },
    { name: 'K_CONFIGURATION', value: metadata.labels?.[CONFIGURATION_LABEL] ?? '' },
    { name: 'K_SERVICE', value: metadata.labels?.[SERVICE_LABEL] ?? '' },
  ];
}

/** CP-208, last row. */
function withVarLog(container: Container): Container {
  const subPathExpr = `$(K_INTERNAL_POD_NAMESPACE)_$(K_INTERNAL_POD_NAME)_${container.name}`;
  return {
    ...container,
    volumeMounts: [
      ...(container.volumeMounts ?? []),
      { name: VAR_LOG_VOLUME, mountPath: '/var/log', subPathExpr },
    ],
    env: [
      ...(container.env ?? []),
      {
        name: 'K_INTERNAL_POD_NAME',
        valueFrom: { fieldRef: { fieldPath: 'metadata.name' } },
      },
      {
        name: 'K_INTERNAL_POD_NAMESPACE',
        valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } },
      },
    ],
  };
}

/** CP-207: httpGet and tcpSocket ask the user port; other handlers stay. */
function withUserPort(probe: Probe, port: number, onlyIfUnset: boolean): Probe {
  const replaced = (given: number | string | undefined): number | string =>
    onlyIfUnset && given !== undefined && given !== 0 ? given : port;
  const { httpGet, tcpSocket } = probe;
  return {
    ...probe,
    ...(httpGet === undefined ? {} : { httpGet: { ...httpGet, port: replaced(httpGet.port) } }),
    ...(tcpSocket === undefined
      ? {}
      : { tcpSocket: { ...tcpSocket, port: replaced(tcpSocket.port) } }),
  };
}
