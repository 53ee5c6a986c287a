// config-gc (CP-108): how long Revisions nobody routes to are kept.

import { parseDurationMs } from '../duration.ts';
import {
  type ConfigMapData,
  ConfigReader,
  errorText,
  type ParsedConfig,
  parseInteger,
} from './reader.ts';

export interface GcConfig {
  /** null = disabled. */
  readonly retainSinceCreateTimeMs: number | null;
  /** null = disabled. */
  readonly retainSinceLastActiveTimeMs: number | null;
  readonly minNonActiveRevisions: number;
  /** null = disabled. */
  readonly maxNonActiveRevisions: number | null;
}

const HOUR_MS = 3_600_000;

export function parseGcConfig(data?: ConfigMapData): ParsedConfig<GcConfig> {
  const reader = new ConfigReader(data);
  const value: GcConfig = {
    retainSinceCreateTimeMs: readRetention(reader, 'retain-since-create-time', 48 * HOUR_MS),
    retainSinceLastActiveTimeMs: readRetention(
      reader,
      'retain-since-last-active-time',
      15 * HOUR_MS,
    ),
    minNonActiveRevisions: reader.integer(20, 'min-non-active-revisions'),
    maxNonActiveRevisions: readOptional(reader, 'max-non-active-revisions', 1000, parseInteger),
  };
  const { minNonActiveRevisions: min, maxNonActiveRevisions: max } = value;
  if (min < 0) reader.problem(`min-non-active-revisions must be non-negative, was: ${min}`);
  if (max !== null && min > max) {
    reader.problem(`min-non-active-revisions(${min}) must be <= max-non-active-revisions(${max})`);
  }
  return reader.finish(value);
}

function readRetention(reader: ConfigReader, key: string, fallbackMs: number): number | null {
  return readOptional(reader, key, fallbackMs, (text) => {
    const ms = parseDurationMs(text);
    if (ms < 0) throw new Error('must be non-negative');
    return ms;
  });
}

function readOptional(
  reader: ConfigReader,
  key: string,
  fallback: number,
  parse: (text: string) => number,
): number | null {
  const text = reader.raw(key);
  if (text === undefined) return fallback;
  if (text.toLowerCase() === 'disabled') return null;
  try {
    return parse(text);
  } catch (error) {
    reader.problem(`failed to parse ${key}: ${errorText(error)}`);
    return fallback;
  }
}
