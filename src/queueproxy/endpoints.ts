// The sidecar's three small servers beside the request plane: stats for the autoscaler (QP-41),
// metrics for people (QP-145) and the drain hook for the kubelet (QP-117). Each is one path;
// everything else is 404. They run on the same engine as the request plane, so no second HTTP stack
// is loaded.

import type { Clock } from '../clock/clock.ts';
import { answerError } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import type { Exchange, ExchangeHandler } from '../proxy/types.ts';
import { STAT_CONTENT_TYPE } from '../wire/probe-headers.ts';
import type { Drainer } from './drainer.ts';
import type { MetricsPage } from './metrics-page.ts';
import type { StatReporter } from './stat-reporter.ts';

const STAT_HEADERS = `Content-Type: ${STAT_CONTENT_TYPE}\r\n`;
const PROMETHEUS_HEADERS =
  'Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n';
/** A drain call without a termination signal by then is undone (QP-117). */
const DRAIN_RESET_MS = 1000;

/** One path, answered by a function; a server with nothing to forward needs no more. */
export class EndpointHandler implements ExchangeHandler {
  readonly #path: string;
  readonly #answer: (exchange: Exchange) => void;

  constructor(path: string, answer: (exchange: Exchange) => void) {
    this.#path = path;
    this.#answer = answer;
  }

  onRequest(exchange: Exchange): void {
    const query = exchange.target.indexOf('?');
    const path = query < 0 ? exchange.target : exchange.target.slice(0, query);
    if (path === this.#path) this.#answer(exchange);
    else answerError(exchange, ERRORS.PATH_NOT_FOUND);
  }

  onResponseHead(): void {
    // Nothing is counted here.
  }

  onResponseBytes(): void {
    // Nothing is counted here.
  }

  onUpstreamFailure(): void {
    throw new Error('an endpoint never forwards');
  }

  onEnd(): void {
    // Nothing was taken that has to be given back.
  }
}

/** `/metrics` on the stats port, whatever the method and `Accept`; reading resets nothing. */
export function statsEndpoint(reporter: StatReporter): EndpointHandler {
  return new EndpointHandler('/metrics', (exchange) => {
    exchange.respond(200, STAT_HEADERS, reporter.current);
  });
}

export function metricsEndpoint(page: Pick<MetricsPage, 'render'>): EndpointHandler {
  return new EndpointHandler('/metrics', (exchange) => {
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
      answerError(exchange, ERRORS.METHOD_NOT_ALLOWED, 'Allow: GET, HEAD\r\n');
      return;
    }
    void page.render().then((text) => {
      if (!exchange.ended) exchange.respond(200, PROMETHEUS_HEADERS, text);
    });
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
