// config-leader-election (AS-166, CP-114): how long a Lease is held and into how many buckets the
// work is divided. Read once, at the start of a process.

import { formatDurationMs } from '../duration.ts';
import { type ConfigMapData, ConfigReader, type ParsedConfig } from './reader.ts';

export const LEADER_ELECTION_CONFIG_NAME = 'config-leader-election';
const MAX_BUCKETS = 10;
const PREFIX_KEY = 'map-lease-prefix.';

export interface LeaderElectionConfig {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  /** 1 to 10. */
  readonly buckets: number;
  /** `component.queue` -> what its Leases are called instead. */
  readonly leasePrefixes: Readonly<Record<string, string>>;
}

export function parseLeaderElectionConfig(
  data?: ConfigMapData,
): ParsedConfig<LeaderElectionConfig> {
  const reader = new ConfigReader(data);
  const leaseDurationMs = reader.durationMs(60_000, 'lease-duration', 'leaseDuration');
  const renewDeadlineMs = reader.durationMs(40_000, 'renew-deadline', 'renewDeadline');
  const retryPeriodMs = reader.durationMs(10_000, 'retry-period', 'retryPeriod');
  const buckets = reader.integer(1, 'buckets');
  if (buckets < 1 || buckets > MAX_BUCKETS) {
    reader.problem(`buckets: value must be between 1 <= ${buckets} <= ${MAX_BUCKETS}`);
  }
  requireLonger(reader, ['lease-duration', leaseDurationMs], ['renew-deadline', renewDeadlineMs]);
  requireLonger(reader, ['renew-deadline', renewDeadlineMs], ['retry-period', retryPeriodMs]);
  if (retryPeriodMs <= 0) reader.problem('retry-period must be positive');
  const leasePrefixes = readPrefixes(reader, data);
  return reader.finish({ leaseDurationMs, renewDeadlineMs, retryPeriodMs, buckets, leasePrefixes });
}

function readPrefixes(reader: ConfigReader, data: ConfigMapData = {}): Record<string, string> {
  const keys = Object.keys(data).filter((key) => key.startsWith(PREFIX_KEY));
  const prefixes = keys.map((key) => [key.slice(PREFIX_KEY.length), reader.text('', key)]);
  return Object.freeze(Object.fromEntries(prefixes) as Record<string, string>);
}

/** Two could lead at once otherwise, or one lose what it had no chance to renew. */
function requireLonger(
  reader: ConfigReader,
  [longer, longerMs]: readonly [string, number],
  [shorter, shorterMs]: readonly [string, number],
): void {
  if (longerMs > shorterMs) return;
  const [was, than] = [formatDurationMs(longerMs), formatDurationMs(shorterMs)];
  reader.problem(`${longer} must be longer than ${shorter}, was ${was} and ${than}`);
}
