// One readiness attempt of each kind (QP-105 to QP-112). TCP is the default and the only kind
// loaded at start; the HTTP client is imported when a probe first needs it, because start-up time
// is budgeted.

import { connect } from 'node:net';
import type { Clock } from '../clock/clock.ts';
import type { ProbeAttempt } from './prober.ts';
import type { ReadinessProbe } from './readiness-probe.ts';

export interface AttemptDeps {
  readonly clock: Clock;
  /** ENABLE_HTTP2_AUTO_DETECTION (QP-111). */
  readonly http2AutoDetection: boolean;
}

/** For use as `ProberDeps.attemptFor`. */
export function createAttempt(probe: ReadinessProbe, deps: AttemptDeps): ProbeAttempt {
  const action = probe.action;
  switch (action.kind) {
    case 'tcp':
      return (timeoutMs) => attemptTcp(action.host, action.port, timeoutMs, deps.clock);
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

/** QP-105: established is enough; closed at once without sending. */
function attemptTcp(
  host: string,
  port: number,
  timeoutMs: number,
  clock: Clock,
): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const timer = timeoutMs > 0 ? clock.setTimer(timeoutMs, () => finish('i/o timeout')) : null;
    const finish = (problem: string | null): void => {
      timer?.cancel();
      socket.destroy();
      resolve(problem === null ? null : `dial tcp ${host}:${port}: ${problem}`);
    };
    socket.once('connect', () => finish(null));
    socket.on('error', (error) => finish(error.message));
  });
}
