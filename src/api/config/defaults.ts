// config-defaults (CP-101, CP-102): what a Revision spec gets where its author said nothing, and
// the upper bounds that validation holds authors to.

import { compileTemplate, type Template } from './go-template.ts';
import { type ConfigMapData, ConfigReader, errorText, type ParsedConfig } from './reader.ts';

export interface DefaultsConfig {
  readonly revisionTimeoutSeconds: number;
  readonly maxRevisionTimeoutSeconds: number;
  readonly revisionResponseStartTimeoutSeconds: number;
  /** 0 = unlimited. */
  readonly revisionIdleTimeoutSeconds: number;
  /** By resource name (`cpu`, `memory`, `ephemeral-storage`); absent = no default. */
  readonly revisionRequests: Readonly<Record<string, string>>;
  readonly revisionLimits: Readonly<Record<string, string>>;
  readonly containerNameTemplate: Template;
  readonly initContainerNameTemplate: Template;
  readonly containerConcurrency: number;
  readonly containerConcurrencyMaxLimit: number;
  readonly allowContainerConcurrencyZero: boolean;
  /** null = leave it to Kubernetes. */
  readonly enableServiceLinks: boolean | null;
}

const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'] as const;
const MAX_INT32 = 2_147_483_647;
const EMPTY_META = { Name: '', GenerateName: '', Namespace: '', Labels: {}, Annotations: {} };

export function parseDefaultsConfig(data?: ConfigMapData): ParsedConfig<DefaultsConfig> {
  const reader = new ConfigReader(data);
  const revisionTimeoutSeconds = reader.integer(300, 'revision-timeout-seconds');
  const value: DefaultsConfig = {
    revisionTimeoutSeconds,
    maxRevisionTimeoutSeconds: reader.integer(600, 'max-revision-timeout-seconds'),
    revisionResponseStartTimeoutSeconds: reader.integer(
      revisionTimeoutSeconds,
      'revision-response-start-timeout-seconds',
    ),
    revisionIdleTimeoutSeconds: reader.integer(0, 'revision-idle-timeout-seconds'),
    revisionRequests: readResources(reader, 'request'),
    revisionLimits: readResources(reader, 'limit'),
    containerNameTemplate: readName(reader, 'container-name-template', 'user-container'),
    initContainerNameTemplate: readName(reader, 'init-container-name-template', 'init-container'),
    containerConcurrency: reader.integer(0, 'container-concurrency'),
    containerConcurrencyMaxLimit: reader.integer(1000, 'container-concurrency-max-limit'),
    allowContainerConcurrencyZero: reader.boolean(true, 'allow-container-concurrency-zero'),
    enableServiceLinks: readServiceLinks(reader),
  };
  checkBounds(reader, value);
  return reader.finish(value);
}

function readResources(reader: ConfigReader, what: 'request' | 'limit'): Record<string, string> {
  const found: Record<string, string> = {};
  for (const resource of RESOURCES) {
    const quantity = reader.quantity(`revision-${resource}-${what}`);
    if (quantity !== undefined) found[resource] = quantity;
  }
  return Object.freeze(found);
}

function readName(reader: ConfigReader, key: string, fallback: string): Template {
  try {
    const template = compileTemplate(reader.text(fallback, key));
    template.render(EMPTY_META);
    return template;
  } catch (error) {
    reader.problem(`error executing template: ${key}: ${errorText(error)}`);
    return compileTemplate(fallback);
  }
}

function readServiceLinks(reader: ConfigReader): boolean | null {
  const word = reader.text('false', 'enable-service-links').toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : null;
}

function checkBounds(reader: ConfigReader, value: DefaultsConfig): void {
  const timeout = value.revisionTimeoutSeconds;
  if (timeout > value.maxRevisionTimeoutSeconds) {
    reader.problem(
      `revision-timeout-seconds (${timeout}) cannot be greater than ` +
        `max-revision-timeout-seconds (${value.maxRevisionTimeoutSeconds})`,
    );
  }
  const shorter: [string, number][] = [
    ['revision-response-start-timeout-seconds', value.revisionResponseStartTimeoutSeconds],
    ['revision-idle-timeout-seconds', value.revisionIdleTimeoutSeconds],
  ];
  for (const [key, seconds] of shorter) {
    if (seconds > 0 && seconds > timeout) {
      reader.problem(
        `${key} (${seconds}) cannot be greater than revision-timeout-seconds (${timeout})`,
      );
    }
  }
  const limit = value.containerConcurrencyMaxLimit;
  if (limit < 1 || limit > MAX_INT32) {
    reader.problem(`expected 1 <= ${limit} <= ${MAX_INT32}: container-concurrency-max-limit`);
  }
  if (value.containerConcurrency < 0 || value.containerConcurrency > limit) {
    reader.problem(
      `expected 0 <= ${value.containerConcurrency} <= ${limit}: container-concurrency`,
    );
  }
}
