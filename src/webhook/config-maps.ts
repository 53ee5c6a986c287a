// ConfigMaps of the system are refused when they would not parse (WH-170, WH-171), so that a typo
// is an error at `kubectl apply` and not a line in a log.

import { crc32 } from 'node:zlib';
import { CONFIG_MAPS } from '../api/config/registry.ts';
import type { ConfigMap } from '../api/core.ts';
import { EXAMPLE_CHECKSUM_ANNOTATION } from '../api/labels.ts';

const NAME_LABEL = 'app.kubernetes.io/name';
const COMPONENT_LABEL = 'app.kubernetes.io/component';
const SYSTEM_NAME = 'knative-serving';
const SYSTEM_COMPONENTS: readonly string[] = [
  'autoscaler',
  'controller',
  'logging',
  'networking',
  'observability',
  'tracing',
  'net-certmanager',
];
const EXAMPLE_KEY = '_example';
const EXAMPLE_TEXT =
  'the update modifies a key in "_example" which is probably not what you want. Instead, copy the ' +
  'respective setting to the top-level of the ConfigMap, directly below "data"';

/** WH-11: what the object selector of the webhook lets through, in any namespace. */
export function isSystemConfigMap({ metadata: { labels } }: ConfigMap): boolean {
  if (labels?.[NAME_LABEL] !== SYSTEM_NAME) return false;
  return SYSTEM_COMPONENTS.includes(labels[COMPONENT_LABEL] ?? '');
}

/** null = fine, or none of ours. */
export function configMapProblem(map: ConfigMap, clusterDomain: string): string | null {
  const { annotations, name } = map.metadata;
  const row = CONFIG_MAPS.find((each) => each.name === name);
  if (row === undefined) return null;
  const example = map.data?.[EXAMPLE_KEY];
  const checksum = annotations?.[EXAMPLE_CHECKSUM_ANNOTATION];
  if (example !== undefined && checksum !== undefined && exampleChecksum(example) !== checksum) {
    return EXAMPLE_TEXT;
  }
  const parsed = row.parse(map.data, clusterDomain);
  return parsed.ok ? null : parsed.problems.join('; ');
}

/** CP-100: CRC-32 of the trimmed text, line breaks written out. */
export function exampleChecksum(example: string): string {
  const text = example.trim().replace(/[\r\n]+/g, '\\n');
  return crc32(text).toString(16).padStart(8, '0');
}
