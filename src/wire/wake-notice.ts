// What our autoscaler tells our activators about a wake, over the stat socket, so that the phases
// only it sees are on their timelines. Nobody gets it unasked: the socket of stock Knative carries
// no application messages from the server (ACT-137), so an activator asks with a header that others
// ignore. Times are ages, because two machines share no clock. Once per wake, never on its path.

/** Request header of the upgrade; any value but none asks. */
export const WAKE_NOTICE_HEADER = 'pilotlight-wake-notices';

export interface WakeNotice {
  /** `namespace/name`. */
  readonly revision: string;
  /** Milliseconds since the autoscaler decided, when the notice was sent; at least 0. */
  readonly decidedAgoMs: number;
  /** The same for the scale being written. */
  readonly scaledAgoMs: number;
}

export function encodeWakeNotice(notice: WakeNotice): string {
  return JSON.stringify({ wake: notice });
}

/** Null when the text is no notice: whoever sent it may know more kinds of messages. */
export function decodeWakeNotice(text: string): WakeNotice | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null; // Not of ours.
  }
  const notice = (parsed as { wake?: unknown } | null)?.wake as Partial<WakeNotice> | undefined;
  if (typeof notice?.revision !== 'string') return null;
  const { revision, decidedAgoMs, scaledAgoMs } = notice;
  if (!isAge(decidedAgoMs) || !isAge(scaledAgoMs)) return null;
  return { revision, decidedAgoMs, scaledAgoMs };
}

function isAge(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}
