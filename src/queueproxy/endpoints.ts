// Two of the sidecar's small servers beside the request plane: stats for the autoscaler (QP-41) and
// the drain hook for the kubelet (QP-117). Each is one path; everything else is 404.

import type { Clock } from '../clock/clock.ts';
import { EndpointHandler } from '../proxy/endpoint.ts';
import { STAT_CONTENT_TYPE } from '../wire/probe-headers.ts';
import type { Drainer } from './drainer.ts';
import type { StatReporter } from './stat-reporter.ts';

const STAT_HEADERS = `Content-Type: ${STAT_CONTENT_TYPE}\r\n`;
/** A drain call without a termination signal by then is undone (QP-117). */
const DRAIN_RESET_MS = 1000;

/** `/metrics` on the stats port, whatever the method and `Accept`; reading resets nothing. */
export function statsEndpoint(reporter: StatReporter): EndpointHandler {
  return new EndpointHandler('/metrics', (exchange) => {
    exchange.respond(200, STAT_HEADERS, reporter.current);
  });
}

/**
 * `/wait-for-drain`, called as preStop hook of every user container: answers when the drain ends.
 * If a second later nobody has signalled this process, only the container is being restarted and
 * the pod returns to normal. Each call looks for itself (QP-118).
 */
export function drainEndpoint(
  drainer: Drainer,
  clock: Clock,
  isTerminating: () => boolean,
): EndpointHandler {
  return new EndpointHandler('/wait-for-drain', (exchange) => {
    clock.setTimer(
      DRAIN_RESET_MS,
      () => {
        if (!isTerminating()) drainer.reset();
      },
      { background: true },
    );
    void drainer.drain().then(() => {
      if (!exchange.ended) exchange.respond(200, '', '');
    });
  });
}
