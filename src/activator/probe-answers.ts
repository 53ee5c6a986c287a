// The activator's answers to probes (ACT-17 to ACT-25). They come before everything else, so a
// probe is never counted, queued or logged. Hot: two header lookups per request that is no probe.

import { answerError, answerErrorText, TEXT_HEADERS } from '../errors/answer.ts';
import { ERRORS } from '../errors/errors.ts';
import type { Exchange } from '../proxy/types.ts';
import {
  ACTIVATOR_PROBE_VALUE,
  KUBELET_PROBE_KEY,
  KUBELET_USER_AGENT_PREFIX,
  NETWORK_HASH_HEADER,
  NETWORK_HASH_KEY,
  NETWORK_PROBE_KEY,
  NETWORK_PROBE_VALUE,
} from '../wire/probe-headers.ts';

/** ACT-19: null = healthy, otherwise why not. */
export type HealthCheck = () => string | null;

/** True if the request was a probe and has been answered. */
export function answerProbe(exchange: Exchange, health: HealthCheck): boolean {
  if (
    exchange.header('user-agent').startsWith(KUBELET_USER_AGENT_PREFIX) ||
    exchange.header(KUBELET_PROBE_KEY) !== ''
  ) {
    const problem = health();
    if (problem === null) exchange.respond(200, '', '');
    else answerErrorText(exchange, ERRORS.ACTIVATOR_UNHEALTHY, problem);
    return true;
  }
  const probe = exchange.header(NETWORK_PROBE_KEY);
  if (probe === '') return false;
  if (probe === NETWORK_PROBE_VALUE) answerIngressProbe(exchange);
  else if (probe === ACTIVATOR_PROBE_VALUE)
    exchange.respond(200, TEXT_HEADERS, ACTIVATOR_PROBE_VALUE);
  else {
    const error = ERRORS.PROBE_HEADER_UNEXPECTED;
    answerErrorText(exchange, error, error.message + JSON.stringify(escapeHtml(probe)));
  }
  return true;
}

function answerIngressProbe(exchange: Exchange): void {
  const hash = exchange.header(NETWORK_HASH_KEY);
  if (hash === '') answerError(exchange, ERRORS.PROBE_HASH_MISSING);
  else exchange.respond(200, `${NETWORK_HASH_HEADER}: ${hash}\r\n`, '');
}

/** The five replacements of Go's `html.EscapeString`. */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll("'", '&#39;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;');
}
