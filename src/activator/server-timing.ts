// The Server-Timing header of a cold answer: when its wake reached which phase, in milliseconds
// since the request arrived. Nobody gets it unasked: `asked` answers a request that has the header
// below, `always` every request that was held at zero pods. Cold: only such requests come here.

import type { Exchange } from '../proxy/types.ts';
import { WAKE_PHASES, type WakeTimeline } from '../telemetry/wake.ts';

export type ServerTiming = 'off' | 'asked' | 'always';
/** Key of config-observability. */
export const SERVER_TIMING_CONFIG = 'activator.server-timing';
/** Any value but none asks. */
export const SERVER_TIMING_REQUEST_HEADER = 'pilotlight-server-timing';

export function isServerTiming(text: string): text is ServerTiming {
  return text === 'off' || text === 'asked' || text === 'always';
}

export function wantsServerTiming(mode: ServerTiming, exchange: Exchange): boolean {
  return mode === 'always' || exchange.header(SERVER_TIMING_REQUEST_HEADER) !== '';
}

/** A whole header line; times are Unix milliseconds with fraction. */
export function serverTimingLine(
  timeline: WakeTimeline,
  arrivedAtMs: number,
  firstByteAtMs: number,
): string {
  const entries = WAKE_PHASES.flatMap((phase, index) => {
    const atMs = phase === 'first byte' ? firstByteAtMs : timeline.atMs[index]!;
    if (Number.isNaN(atMs)) return [];
    const sinceMs = phase === 'queued' ? 0 : Math.max(0, atMs - arrivedAtMs);
    return [`${phase.replace(' ', '-')};dur=${Math.round(sinceMs * 10) / 10}`];
  });
  return `Server-Timing: ${entries.join(', ')}\r\n`;
}
