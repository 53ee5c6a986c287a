// config-domain (CP-106, CP-107): which domain the Routes with given labels live under. The
// cluster's own `svc.<cluster domain>` doubles as "not public".

import { parse as parseYaml } from 'yaml';
import type { LabelMap } from '../core.ts';
import { VISIBILITY_CLUSTER_LOCAL, VISIBILITY_LABEL } from '../labels.ts';
import { type ConfigMapData, ConfigReader, errorText, type ParsedConfig } from './reader.ts';

export interface DomainEntry {
  readonly domain: string;
  /** Empty = every Route. */
  readonly selector: Readonly<LabelMap>;
  readonly type: string;
}

export interface DomainConfig {
  /** `svc.<cluster domain>`. */
  readonly clusterLocalDomain: string;
  readonly entries: readonly DomainEntry[];
}

const WILDCARD = 'wildcard';

export function parseDomainConfig(
  data: ConfigMapData | undefined,
  clusterDomain: string,
): ParsedConfig<DomainConfig> {
  const reader = new ConfigReader(data);
  const clusterLocalDomain = `svc.${clusterDomain}`;
  const entries: DomainEntry[] = [];
  for (const [domain, text] of Object.entries(data ?? {})) {
    if (domain === '_example') continue;
    const entry = parseEntry(reader, domain, text);
    if (entry !== null) entries.push(entry);
  }
  if (!entries.some((entry) => Object.keys(entry.selector).length === 0)) {
    entries.push({ domain: clusterLocalDomain, selector: {}, type: WILDCARD });
  }
  return reader.finish({ clusterLocalDomain, entries: Object.freeze(entries) });
}

function parseEntry(reader: ConfigReader, domain: string, text: string): DomainEntry | null {
  try {
    const parsed = parseYaml(text) as { selector?: LabelMap; type?: string } | null;
    if (parsed !== null && typeof parsed !== 'object') throw new Error('not a mapping');
    const selector = parsed?.selector ?? {};
    const isDefault = Object.keys(selector).length === 0;
    return { domain, selector, type: isDefault ? WILDCARD : (parsed?.type ?? '') };
  } catch (error) {
    reader.problem(`failed to parse "${domain}": ${errorText(error)}`);
    return null;
  }
}

/** CP-107. */
export function domainForLabels(config: DomainConfig, labels: LabelMap | undefined): string {
  if (labels?.[VISIBILITY_LABEL] === VISIBILITY_CLUSTER_LOCAL) return config.clusterLocalDomain;
  let best: { domain: string; keys: number } | undefined;
  for (const { domain, selector } of config.entries) {
    const wanted = Object.entries(selector);
    if (!wanted.every(([key, value]) => labels?.[key] === value)) continue;
    const better =
      best === undefined ||
      wanted.length > best.keys ||
      (wanted.length === best.keys && domain < best.domain);
    if (better) best = { domain, keys: wanted.length };
  }
  return best?.domain ?? config.clusterLocalDomain;
}
