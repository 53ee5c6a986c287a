// config-certmanager (CP-115): which issuer of cert-manager signs which type of Certificate. A
// value that names only a part keeps the rest of the default.

import { parse as parseYaml } from 'yaml';
import {
  CLUSTER_LOCAL_DOMAIN_TYPE,
  EXTERNAL_DOMAIN_TYPE,
  SYSTEM_INTERNAL_TYPE,
} from '../labels.ts';
import { type ConfigMapData, ConfigReader, errorText, type ParsedConfig } from './reader.ts';

export interface IssuerReference {
  readonly kind?: string;
  readonly name?: string;
  readonly group?: string;
}

export interface CertManagerConfig {
  /** By key of the map; null = set to nothing. */
  readonly issuers: Readonly<Record<IssuerKey, IssuerReference | null>>;
}

export type IssuerKey = 'issuerRef' | 'clusterLocalIssuerRef' | 'systemInternalIssuerRef';

const DEFAULT_ISSUER: IssuerReference = Object.freeze({
  kind: 'ClusterIssuer',
  name: 'knative-selfsigned-issuer',
});
const KEYS: readonly IssuerKey[] = [
  'issuerRef',
  'clusterLocalIssuerRef',
  'systemInternalIssuerRef',
];
const KEY_OF_TYPE: Readonly<Record<string, IssuerKey>> = {
  [EXTERNAL_DOMAIN_TYPE]: 'issuerRef',
  [CLUSTER_LOCAL_DOMAIN_TYPE]: 'clusterLocalIssuerRef',
  [SYSTEM_INTERNAL_TYPE]: 'systemInternalIssuerRef',
};

export function parseCertManagerConfig(data?: ConfigMapData): ParsedConfig<CertManagerConfig> {
  const reader = new ConfigReader(data);
  const issuers = Object.fromEntries(KEYS.map((key) => [key, readIssuer(reader, key)]));
  return reader.finish({ issuers: Object.freeze(issuers) as CertManagerConfig['issuers'] });
}

function readIssuer(reader: ConfigReader, key: IssuerKey): IssuerReference | null {
  const text = reader.raw(key);
  if (text === undefined) return DEFAULT_ISSUER;
  try {
    const parsed = parseYaml(text) as IssuerReference | null;
    if (parsed !== null && typeof parsed !== 'object') throw new Error('not a mapping');
    return Object.freeze({ ...DEFAULT_ISSUER, ...parsed });
  } catch (error) {
    reader.problem(`failed to parse "${key}": ${errorText(error)}`);
    return null;
  }
}

/** CP-462: undefined = a type nobody knows. */
export function issuerKeyOf(type: string | undefined): IssuerKey | undefined {
  return KEY_OF_TYPE[type || EXTERNAL_DOMAIN_TYPE];
}
