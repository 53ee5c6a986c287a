// One readiness attempt of each kind (QP-105 to QP-112). TCP is the default and the only kind
// loaded at start; the HTTP client is imported when a probe first needs it, because start-up time
// is budgeted.

import type { Clock } from '../clock/clock.ts';
import type { ProbeAttempt } from './prober.ts';
import type { ReadinessProbe } from './readiness-probe.ts';
import { attemptTcp, type TcpHandle } from './tcp-attempt.ts';

export interface AttemptDeps {
  readonly clock: Clock;
  /** ENABLE_HTTP2_AUTO_DETECTION (QP-111). */
  readonly http2AutoDetection: boolean;
  /** Offered the connection of a TCP attempt that succeeded; see attemptTcp. Default: nobody. */
  readonly keep?: (host: string, port: number, handle: TcpHandle) => boolean;
}

/** For use as `ProberDeps.attemptFor`. */
export function createAttempt(probe: ReadinessProbe, deps: AttemptDeps): ProbeAttempt {
  const action = probe.action;
  switch (action.kind) {
    case 'tcp': {
      const { clock, keep } = deps;
      const { host, port } = action;
      const keepThis = keep === undefined ? null : (handle: TcpHandle) => keep(host, port, handle);
      return (timeoutMs) => attemptTcp(action, timeoutMs, clock, keepThis);
    }
    case 'http':
      return async (timeoutMs) => {
        const { attemptHttp } = await import('./probe-http.ts');
        return attemptHttp(action, timeoutMs, deps);
      };
    case 'grpc':
      return async (timeoutMs) => {
        const { attemptGrpc } = await import('./probe-grpc.ts');
        return attemptGrpc(action.port, action.service, timeoutMs, deps.clock);
      };
    case 'impossible':
      return () => Promise.resolve(action.reason);
  }
}
