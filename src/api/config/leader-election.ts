// config-leader-election (AS-166): how long a Lease is held and into how many buckets the revisions
// are divided. Read once, at the start of a process.

import { formatDurationMs } from '../duration.ts';
import { type ConfigMapData, ConfigReader, type ParsedConfig } from './reader.ts';

export const LEADER_ELECTION_CONFIG_NAME = 'config-leader-election';
const MAX_BUCKETS = 10;

export interface LeaderElectionConfig {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  /** 1 to 10. */
  readonly buckets: number;
}

export function parseLeaderElectionConfig(
  data?: ConfigMapData,
): ParsedConfig<LeaderElectionConfig> {
  const reader = new ConfigReader(data);
  const leaseDurationMs = reader.durationMs(60_000, 'lease-duration');
  const renewDeadlineMs = reader.durationMs(40_000, 'renew-deadline');
  const retryPeriodMs = reader.durationMs(10_000, 'retry-period');
  const buckets = reader.integer(1, 'buckets');
  if (buckets < 1 || buckets > MAX_BUCKETS) {
    reader.problem(`buckets: value must be between 1 <= ${buckets} <= ${MAX_BUCKETS}`);
  }
  requireLonger(reader, ['lease-duration', leaseDurationMs], ['renew-deadline', renewDeadlineMs]);
  requireLonger(reader, ['renew-deadline', renewDeadlineMs], ['retry-period', retryPeriodMs]);
  if (retryPeriodMs <= 0) reader.problem('retry-period must be positive');
  return reader.finish({ leaseDurationMs, renewDeadlineMs, retryPeriodMs, buckets });
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
