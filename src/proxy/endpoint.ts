// A server of one path, beside the request plane: stats, metrics, the drain hook. They run on the
// engine of the request plane, so no second HTTP stack is loaded. Not hot.

import { answerError } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import type { Exchange, ExchangeHandler } from './types.ts';

const PROMETHEUS_HEADERS =
  'Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n';

/** One path, answered by a function; everything else is 404. */
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

/** `GET /metrics` in Prometheus text (QP-145, ACT-1). */
export function metricsEndpoint(page: { render(): Promise<string> }): EndpointHandler {
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
