// Config maps: what each refuses and in which words, what each means, and that the YAML we ship
// holds the built-in defaults.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import type { ConfigMap } from '../core.ts';
import { parseDefaultsConfig } from './defaults.ts';
import { parseDeploymentConfig, runtimeClassFor } from './deployment.ts';
import { domainForLabels, parseDomainConfig } from './domain.ts';
import { parseFeaturesConfig } from './features.ts';
import { parseGcConfig } from './gc.ts';
import { compileTemplate } from './go-template.ts';
import { parseLoggingConfig } from './logging.ts';
import { parseNetworkConfig } from './network.ts';
import { observabilityJson, parseObservabilityConfig } from './observability.ts';
import type { ConfigMapData, ParsedConfig } from './reader.ts';

function parsedValue<T>(parsed: ParsedConfig<T>): T {
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  return parsed.value;
}

function problemsOf(parsed: ParsedConfig<unknown>): readonly string[] {
  return parsed.ok ? [] : parsed.problems;
}

const IMAGE = { 'queue-sidecar-image': 'qp:1' };
const deployment = (data: ConfigMapData): ParsedConfig<unknown> =>
  parseDeploymentConfig({ ...IMAGE, ...data });

describe('CP-101 to CP-113: a bad map names its key and its text', () => {
  it.each<[string, (data: ConfigMapData) => ParsedConfig<unknown>, ConfigMapData, string]>([
    [
      'defaults: not a number',
      parseDefaultsConfig,
      { 'revision-timeout-seconds': 'x' },
      'failed to parse "revision-timeout-seconds": strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      'defaults: timeout above its bound',
      parseDefaultsConfig,
      { 'revision-timeout-seconds': '700' },
      'revision-timeout-seconds (700) cannot be greater than max-revision-timeout-seconds (600)',
    ],
    [
      'defaults: idle above timeout',
      parseDefaultsConfig,
      { 'revision-idle-timeout-seconds': '301' },
      'revision-idle-timeout-seconds (301) cannot be greater than revision-timeout-seconds (300)',
    ],
    [
      'defaults: concurrency above its limit',
      parseDefaultsConfig,
      { 'container-concurrency': '1001' },
      'expected 0 <= 1001 <= 1000: container-concurrency',
    ],
    [
      'defaults: limit of zero',
      parseDefaultsConfig,
      { 'container-concurrency-max-limit': '0' },
      'expected 1 <= 0 <= 2147483647: container-concurrency-max-limit',
    ],
    [
      'deployment: no image',
      parseDeploymentConfig,
      {},
      'queue-sidecar-image cannot be empty or unset',
    ],
    [
      'deployment: negative deadline',
      deployment,
      { 'progress-deadline': '-1s' },
      'progress-deadline cannot be a non-positive duration, was -1s',
    ],
    [
      'deployment: fractional deadline',
      deployment,
      { 'progress-deadline': '1.5s' },
      'progress-deadline must be rounded to a whole second, was: 1.5s',
    ],
    [
      'deployment: affinity',
      deployment,
      { 'default-affinity-type': 'x' },
      'unsupported default-affinity-type value: "x"',
    ],
    [
      'gc: negative duration',
      parseGcConfig,
      { 'retain-since-create-time': '-1h' },
      'failed to parse retain-since-create-time: must be non-negative',
    ],
    [
      'gc: min above max',
      parseGcConfig,
      { 'min-non-active-revisions': '5', 'max-non-active-revisions': '4' },
      'min-non-active-revisions(5) must be <= max-non-active-revisions(4)',
    ],
    [
      'network: TLS word',
      parseNetworkConfig,
      { 'cluster-local-domain-tls': 'maybe' },
      'cluster-local-domain-tls with value: "maybe" in config-network ConfigMap is not supported',
    ],
    [
      'network: protocol',
      parseNetworkConfig,
      { 'http-protocol': 'h3' },
      'httpProtocol h3 in config-network ConfigMap is not supported',
    ],
    [
      'network: rollout',
      parseNetworkConfig,
      { 'rollout-duration': '-2' },
      'rollout-duration must be a positive integer, but was -2',
    ],
    [
      'network: template with a path',
      parseNetworkConfig,
      { 'domain-template': '{{.Domain}}/{{.Name}}' },
      'failed to parse "domain-template": domain template has url path: /foo',
    ],
    [
      'observability: endpoint missing',
      parseObservabilityConfig,
      { 'metrics-protocol': 'grpc' },
      'endpoint should be set when protocol is "grpc"',
    ],
    [
      'observability: request log without template',
      parseObservabilityConfig,
      { 'logging.enable-request-log': 'true', 'logging.request-log-template': '' },
      '"logging.enable-request-log" was set to true, but no "logging.request-log-template" was specified',
    ],
    [
      'logging: level',
      parseLoggingConfig,
      { 'loglevel.queueproxy': 'loud' },
      'invalid logging level: loud',
    ],
  ])('%s', (_name, parse, data, problem) => {
    expect(problemsOf(parse(data))).toContain(problem);
  });

  it('reports every problem, not only the first', () => {
    const parsed = parseDefaultsConfig({ 'container-concurrency': 'a', 'revision-cpu-limit': 'b' });
    expect(problemsOf(parsed)).toHaveLength(2);
  });
});

describe('values', () => {
  it('CP-100: a kebab-case key overrides its legacy spelling', () => {
    const both = { 'ingress.class': 'old', 'ingress-class': 'new' };
    expect(parsedValue(parseNetworkConfig(both)).ingressClass).toBe('new');
    expect(parsedValue(parseNetworkConfig({ 'ingress.class': 'old' })).ingressClass).toBe('old');
  });

  it('CP-103: an unknown flag value is ignored, `Allowed` is no secure-pod-defaults', () => {
    const features = parsedValue(
      parseFeaturesConfig({ 'multi-container': 'yes', 'secure-pod-defaults': 'Allowed' }),
    );
    expect(features.flags['multi-container']).toBe('Enabled');
    expect(features.securePodDefaults).toBe('Disabled');
  });

  it('CP-105: the runtime class with most selector keys wins', () => {
    const config = parsedValue(
      parseDeploymentConfig({
        ...IMAGE,
        'runtime-class-name': 'kata: {}\ngvisor: {selector: {team: a}}\n"": {selector: {x: y}}',
      }),
    );
    expect(runtimeClassFor(config, {})).toBe('kata');
    expect(runtimeClassFor(config, { team: 'a' })).toBe('gvisor');
  });

  it('CP-107: the most specific domain wins, cluster-local visibility beats all', () => {
    const config = parsedValue(
      parseDomainConfig(
        { 'a.com': '', 'b.com': 'selector: {app: x}', 'c.com': 'selector: {app: x, tier: y}' },
        'cluster.local',
      ),
    );
    expect(domainForLabels(config, {})).toBe('a.com');
    expect(domainForLabels(config, { app: 'x' })).toBe('b.com');
    expect(domainForLabels(config, { app: 'x', tier: 'y' })).toBe('c.com');
    const hidden = { app: 'x', 'networking.knative.dev/visibility': 'cluster-local' };
    expect(domainForLabels(config, hidden)).toBe('svc.cluster.local');
  });

  it('CP-106: without a default entry routes are cluster-local', () => {
    const config = parsedValue(
      parseDomainConfig({ 'b.com': 'selector: {app: x}' }, 'cluster.local'),
    );
    expect(domainForLabels(config, undefined)).toBe('svc.cluster.local');
  });

  it('CP-108: retention can be disabled', () => {
    const config = parsedValue(parseGcConfig({ 'retain-since-create-time': 'Disabled' }));
    expect(config.retainSinceCreateTimeMs).toBeNull();
    expect(config.retainSinceLastActiveTimeMs).toBe(15 * 3_600_000);
  });

  it('CP-214: the sidecar gets the observability map as JSON without zero values', () => {
    const json = observabilityJson(parsedValue(parseObservabilityConfig()));
    expect(json.startsWith('{"tracing":{"protocol":"none"},"metrics":{"protocol":"none"},')).toBe(
      true,
    );
    expect(JSON.parse(json)).toMatchObject({
      runtime: { profiling: 'disabled', exportInterval: 15_000_000_000 },
    });
  });

  it('domain templates can index labels and annotations', () => {
    const template = compileTemplate('{{.Name}}.{{index .Annotations "sub"}}.{{ .Domain }}');
    expect(template.render({ Name: 'a', Domain: 'd.com', Annotations: { sub: 's' } })).toBe(
      'a.s.d.com',
    );
    expect(() => compileTemplate('{{if .X}}a{{end}}')).toThrow('unsupported action');
  });
});

describe('the shipped YAML', () => {
  const load = (name: string): ConfigMapData =>
    (parseYaml(readFileSync(`config/${name}.yaml`, 'utf8')) as ConfigMap).data ?? {};

  it.each<[string, (data?: ConfigMapData) => ParsedConfig<unknown>, ConfigMapData]>([
    ['config-defaults', parseDefaultsConfig, {}],
    [
      'config-deployment',
      parseDeploymentConfig,
      { 'queue-sidecar-image': 'pilotlight/queue-proxy' },
    ],
    ['config-features', parseFeaturesConfig, {}],
    ['config-gc', parseGcConfig, {}],
    [
      'config-network',
      parseNetworkConfig,
      { 'ingress-class': 'pilotlight.ingress.networking.knative.dev' },
    ],
    ['config-observability', parseObservabilityConfig, {}],
  ])('%s holds the built-in defaults', (name, parse, differences) => {
    const comparable = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (_key, item) => (item instanceof Set ? [...item] : item)));
    expect(comparable(parsedValue(parse(load(name))))).toEqual(
      comparable(parsedValue(parse(differences))),
    );
  });

  it('config-domain serves *.localhost, config-logging parses', () => {
    const domain = parsedValue(parseDomainConfig(load('config-domain'), 'cluster.local'));
    expect(domainForLabels(domain, undefined)).toBe('localhost');
    expect(parsedValue(parseLoggingConfig(load('config-logging'))).levels).toEqual({
      queueproxy: 'info',
    });
  });
});
