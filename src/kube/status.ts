// Writing a status (CP-25): only when it differs from what is stored, through the status
// subresource, and again from the newest object when somebody else wrote in between.

import type { Kind } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { deepEqual } from './equal.ts';
import { isConflict, isNotFound, type KubeClient } from './types.ts';

/** CP-25: writes of one status that meet a conflict; then the pass fails and is retried. */
export const MAX_STATUS_ATTEMPTS = 5;
/** Between attempts; doubles as the time a stale cache needs to catch up. */
export const STATUS_RETRY_DELAY_MS = 10;

/**
 * Makes `status` the stored status of `object` (usually from a cache, never changed here). Resolves
 * with the stored object; undefined when the object, or this incarnation of it, no longer exists.
 * Rejects with the last conflict after 5 attempts, and with any other error at once.
 */
export async function writeStatus<T extends KubeObject & { status?: unknown }>(
  client: KubeClient,
  kind: Kind,
  object: T,
  status: T['status'],
  clock: Clock = systemClock,
): Promise<T | undefined> {
  const { namespace, name, uid } = object.metadata;
  let base = object;
  try {
    for (let attempt = 1; ; attempt += 1) {
      if (base.metadata.uid !== uid) return undefined;
      if (deepEqual(base.status, status)) return base;
      try {
        return await client.updateStatus(kind, { ...base, status });
      } catch (error) {
        if (!isConflict(error) || attempt >= MAX_STATUS_ATTEMPTS) throw error;
      }
      if (attempt > 1) await clock.sleep(STATUS_RETRY_DELAY_MS);
      base = await client.get<T>(kind, { namespace, name });
    }
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
