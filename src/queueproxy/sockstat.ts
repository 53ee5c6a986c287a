// The kernel's socket counters, attached to the log line of a failed forward (QP-83): they tell a
// crashed app from an exhausted machine. Read at most once a second, because failures come in
// storms.

import { readFileSync } from 'node:fs';
import type { Clock } from '../clock/clock.ts';

const SOCKSTAT_PATH = '/proc/net/sockstat';
const MAX_AGE_MS = 1000;

/** The returned function yields '' where there is no such file. */
export function createSockstatReader(clock: Clock): () => string {
  let text = '';
  let readAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - readAtMs < MAX_AGE_MS) return text;
    readAtMs = nowMs;
    try {
      text = readFileSync(SOCKSTAT_PATH, 'latin1');
    } catch {
      text = ''; // Not Linux, or not allowed: the log line is complete without it.
    }
    return text;
  };
}
