// config-deployment (CP-104, CP-105): how a Revision becomes a Deployment. One key is ours:
// `queue-sidecar-drain-quiet-period` shortens the sidecar's drain where no load balancer lags
// behind.

import { parse as parseYaml } from 'yaml';
import type { LabelMap } from '../core.ts';
import { formatDurationMs } from '../duration.ts';
import { type ConfigMapData, ConfigReader, errorText, type ParsedConfig } from './reader.ts';

export interface DeploymentConfig {
  readonly queueSidecarImage: string;
  /** Registry hosts. */
  readonly registriesSkippingTagResolving: ReadonlySet<string>;
  readonly digestResolutionTimeoutMs: number;
  /** Whole seconds. */
  readonly progressDeadlineSeconds: number;
  /** By resource name; absent = unset. */
  readonly queueSidecarRequests: Readonly<Record<string, string>>;
  readonly queueSidecarLimits: Readonly<Record<string, string>>;
  /** Sorted. */
  readonly queueSidecarTokenAudiences: readonly string[];
  readonly queueSidecarRootCa: string;
  readonly queueSidecarTls: {
    readonly minVersion: string;
    readonly maxVersion: string;
    readonly cipherSuites: string;
    readonly curvePreferences: string;
  };
  readonly defaultAffinityType: 'prefer-spread-revision-over-nodes' | 'none';
  /** Class -> labels it selects; null = every Revision. */
  readonly runtimeClasses: ReadonlyMap<string, LabelMap | null>;
  readonly podIsAlwaysSchedulable: boolean;
  /** null = the sidecar's own default (QP-120). */
  readonly queueSidecarDrainQuietMs: number | null;
}

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const DNS_SUBDOMAIN_ERROR =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LEGACY_RESOURCE: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  memory: 'Memory',
  'ephemeral-storage': 'EphemeralStorage',
};

export function parseDeploymentConfig(data?: ConfigMapData): ParsedConfig<DeploymentConfig> {
  const reader = new ConfigReader(data);
  const image = reader.text('', 'queue-sidecar-image', 'queueSidecarImage');
  if (image === '') reader.problem('queue-sidecar-image cannot be empty or unset');
  const skipping = reader.set(
    ['dev.local', 'kind.local', 'ko.local'],
    'registries-skipping-tag-resolving',
    'registriesSkippingTagResolving',
  );
  return reader.finish({
    queueSidecarImage: image,
    registriesSkippingTagResolving: new Set(skipping),
    digestResolutionTimeoutMs: readPositive(reader, 10_000, 'digest-resolution-timeout', [
      'digestResolutionTimeout',
    ]),
    progressDeadlineSeconds: readProgressDeadline(reader),
    queueSidecarRequests: readResources(reader, 'request', { cpu: '25m' }),
    queueSidecarLimits: readResources(reader, 'limit', {}),
    queueSidecarTokenAudiences: reader
      .set([], 'queue-sidecar-token-audiences')
      .filter((audience) => audience !== ''),
    queueSidecarRootCa: reader.text('', 'queue-sidecar-rootca'),
    queueSidecarTls: {
      minVersion: reader.text('', 'queue-sidecar-tls-min-version'),
      maxVersion: reader.text('', 'queue-sidecar-tls-max-version'),
      cipherSuites: reader.text('', 'queue-sidecar-tls-cipher-suites'),
      curvePreferences: reader.text('', 'queue-sidecar-tls-curve-preferences'),
    },
    defaultAffinityType: readAffinity(reader),
    runtimeClasses: readRuntimeClasses(reader),
    podIsAlwaysSchedulable: reader.boolean(false, 'pod-is-always-schedulable'),
    queueSidecarDrainQuietMs: readDrainQuiet(reader),
  });
}

function readPositive(
  reader: ConfigReader,
  fallbackMs: number,
  key: string,
  legacy: readonly string[],
): number {
  const ms = reader.durationMs(fallbackMs, key, ...legacy);
  if (ms <= 0) {
    reader.problem(`${key} cannot be a non-positive duration, was ${formatDurationMs(ms)}`);
  }
  return ms;
}

function readProgressDeadline(reader: ConfigReader): number {
  const ms = readPositive(reader, 600_000, 'progress-deadline', ['progressDeadline']);
  if (ms % 1000 !== 0) {
    reader.problem(
      `progress-deadline must be rounded to a whole second, was: ${formatDurationMs(ms)}`,
    );
  }
  return Math.trunc(ms / 1000);
}

function readResources(
  reader: ConfigReader,
  what: 'request' | 'limit',
  defaults: Record<string, string>,
): Record<string, string> {
  const found = { ...defaults };
  for (const [resource, legacy] of Object.entries(LEGACY_RESOURCE)) {
    const capital = what === 'request' ? 'Request' : 'Limit';
    const quantity = reader.quantity(
      `queue-sidecar-${resource}-${what}`,
      `queueSidecar${legacy}${capital}`,
    );
    if (quantity !== undefined) found[resource] = quantity;
  }
  return Object.freeze(found);
}

function readAffinity(reader: ConfigReader): DeploymentConfig['defaultAffinityType'] {
  const word = reader.text('prefer-spread-revision-over-nodes', 'default-affinity-type');
  if (word === 'none') return 'none';
  if (word !== 'prefer-spread-revision-over-nodes') {
    reader.problem(`unsupported default-affinity-type value: ${JSON.stringify(word)}`);
  }
  return 'prefer-spread-revision-over-nodes';
}

function readDrainQuiet(reader: ConfigReader): number | null {
  const ms = reader.durationMs(-1, 'queue-sidecar-drain-quiet-period');
  if (reader.raw('queue-sidecar-drain-quiet-period') === undefined) return null;
  if (ms < 0) {
    reader.problem(
      `queue-sidecar-drain-quiet-period cannot be negative, was ${formatDurationMs(ms)}`,
    );
  }
  return ms;
}

function readRuntimeClasses(reader: ConfigReader): Map<string, LabelMap | null> {
  const classes = new Map<string, LabelMap | null>();
  const text = reader.text('', 'runtime-class-name');
  if (text === '') return classes;
  let parsed: unknown;
  try {
    parsed = parseYaml(text);
    if (typeof parsed !== 'object' || parsed === null) throw new Error('not a mapping');
  } catch (error) {
    reader.problem(
      `runtime-class-name cannot be parsed, please check the format: ${errorText(error)}`,
    );
    return classes;
  }
  for (const [name, entry] of Object.entries(parsed)) {
    if (name !== '' && !DNS_SUBDOMAIN.test(name)) {
      reader.problem(
        `runtime-class-name ${name} selector not valid DNSSubdomain: [${DNS_SUBDOMAIN_ERROR}]`,
      );
    }
    const selector = (entry as { selector?: LabelMap } | null)?.selector;
    classes.set(name, selector ?? null);
  }
  return classes;
}

/** CP-105: undefined = no runtime class. */
export function runtimeClassFor(config: DeploymentConfig, labels: LabelMap): string | undefined {
  let best: { name: string; keys: number } | undefined;
  for (const [name, selector] of config.runtimeClasses) {
    const wanted = Object.entries(selector ?? {});
    if (!wanted.every(([key, value]) => labels[key] === value)) continue;
    const better =
      best === undefined ||
      wanted.length > best.keys ||
      (wanted.length === best.keys && name < best.name);
    if (better) best = { name, keys: wanted.length };
  }
  return best === undefined || best.name === '' ? undefined : best.name;
}
