// config-network (CP-109, CP-110): ingress class, host name templates, TLS switches, rollouts. Our
// built-in default for the ingress class is Knative's; the shipped map names our own gateway.

import { parse as parseYaml } from 'yaml';
import type { LabelSelector } from '../core.ts';
import { compileTemplate, type Template } from './go-template.ts';
import { type ConfigMapData, ConfigReader, errorText, type ParsedConfig } from './reader.ts';

export type HttpProtocol = 'enabled' | 'redirected' | 'disabled';

export interface NetworkConfig {
  readonly ingressClass: string;
  readonly certificateClass: string;
  readonly domainTemplate: Template;
  readonly tagTemplate: Template;
  readonly externalDomainTls: boolean;
  readonly clusterLocalDomainTls: boolean;
  readonly systemInternalTls: boolean;
  readonly httpProtocol: HttpProtocol;
  /** 0 = switch at once. */
  readonly rolloutDurationSeconds: number;
  readonly autocreateClusterDomainClaims: boolean;
  /** null = off. */
  readonly namespaceWildcardCertSelector: LabelSelector | null;
  readonly defaultExternalScheme: string;
  readonly enableMeshPodAddressability: boolean;
  readonly meshCompatibilityMode: 'auto' | 'enabled' | 'disabled';
}

const DOMAIN_TEMPLATE = '{{.Name}}.{{.Namespace}}.{{.Domain}}';
const TAG_TEMPLATE = '{{.Tag}}-{{.Name}}';

export function parseNetworkConfig(data?: ConfigMapData): ParsedConfig<NetworkConfig> {
  const reader = new ConfigReader(data);
  const rollout = reader.integer(0, 'rollout-duration', 'rolloutDuration');
  if (rollout < 0) {
    reader.problem(`rollout-duration must be a positive integer, but was ${rollout}`);
  }
  const external = reader.text('', 'external-domain-tls', 'auto-tls', 'autoTLS');
  return reader.finish({
    ingressClass: reader.text(
      'istio.ingress.networking.knative.dev',
      'ingress-class',
      'ingress.class',
    ),
    certificateClass: reader.text(
      'cert-manager.certificate.networking.knative.dev',
      'certificate-class',
      'certificate.class',
    ),
    domainTemplate: readDomainTemplate(reader),
    tagTemplate: readTagTemplate(reader),
    externalDomainTls: external.toLowerCase() === 'enabled',
    clusterLocalDomainTls: readTlsSwitch(reader, 'cluster-local-domain-tls'),
    systemInternalTls: readSystemInternalTls(reader),
    httpProtocol: readHttpProtocol(reader),
    rolloutDurationSeconds: rollout,
    autocreateClusterDomainClaims: reader.boolean(
      false,
      'autocreate-cluster-domain-claims',
      'autocreateClusterDomainClaims',
    ),
    namespaceWildcardCertSelector: readSelector(reader),
    defaultExternalScheme: reader.text('http', 'default-external-scheme', 'defaultExternalScheme'),
    enableMeshPodAddressability: reader.boolean(false, 'enable-mesh-pod-addressability'),
    meshCompatibilityMode: readMeshMode(reader),
  });
}

function readDomainTemplate(reader: ConfigReader): Template {
  const source = reader.text(DOMAIN_TEMPLATE, 'domain-template', 'domainTemplate');
  try {
    const template = compileTemplate(source);
    const host = template.render({
      Name: 'foo',
      Namespace: 'bar',
      Domain: 'baz.com',
      Labels: {},
      Annotations: {},
    });
    const slash = host.indexOf('/');
    if (host === '' || slash === 0) throw new Error('empty hostname');
    if (slash > 0) throw new Error(`domain template has url path: ${host.slice(slash)}`);
    return template;
  } catch (error) {
    reader.problem(`failed to parse "domain-template": ${errorText(error)}`);
    return compileTemplate(DOMAIN_TEMPLATE);
  }
}

function readTagTemplate(reader: ConfigReader): Template {
  try {
    const template = compileTemplate(reader.text(TAG_TEMPLATE, 'tag-template', 'tagTemplate'));
    template.render({ Name: 'foo', Tag: 'v2' });
    return template;
  } catch (error) {
    reader.problem(`failed to parse "tag-template": ${errorText(error)}`);
    return compileTemplate(TAG_TEMPLATE);
  }
}

function readTlsSwitch(reader: ConfigReader, key: string): boolean {
  const word = reader.text('', key);
  const lower = word.toLowerCase();
  if (lower !== 'enabled' && lower !== 'disabled' && lower !== '') {
    reader.problem(
      `${key} with value: ${JSON.stringify(word)} in config-network ConfigMap is not supported`,
    );
  }
  return lower === 'enabled';
}

function readSystemInternalTls(reader: ConfigReader): boolean {
  const isOn = readTlsSwitch(reader, 'system-internal-tls');
  return isOn || reader.boolean(false, 'internal-encryption');
}

function readHttpProtocol(reader: ConfigReader): HttpProtocol {
  const word = reader.text('enabled', 'http-protocol', 'httpProtocol');
  const lower = word.toLowerCase();
  if (lower === 'enabled' || lower === 'redirected' || lower === 'disabled') return lower;
  reader.problem(`httpProtocol ${word} in config-network ConfigMap is not supported`);
  return 'enabled';
}

function readSelector(reader: ConfigReader): LabelSelector | null {
  const text = reader.text('', 'namespace-wildcard-cert-selector');
  if (text === '') return null;
  try {
    return (parseYaml(text) as LabelSelector | null) ?? null;
  } catch (error) {
    reader.problem(`failed to parse "namespace-wildcard-cert-selector": ${errorText(error)}`);
    return null;
  }
}

function readMeshMode(reader: ConfigReader): NetworkConfig['meshCompatibilityMode'] {
  const word = reader.text('auto', 'mesh-compatibility-mode').toLowerCase();
  return word === 'enabled' || word === 'disabled' ? word : 'auto';
}
