// Which status and size are recorded for a request (QP-134 to QP-136): what the client got, with
// the exceptions the reference makes and we keep: an upgrade is 200 with nothing, an app that broke
// off is 500 with nothing, a client that left while running is 200 so far. A status after
// interim answers is the final one. Pure. Hot when logs or metrics are on.

import { type Exchange, Outcome } from '../types.ts';

/** The status of layers 1 and 2. */
export function recordedStatus(
  exchange: Exchange,
  outcome: Outcome,
  wasForwarded: boolean,
): number {
  const status = exchange.responseStatus;
  if (status === 101) return 200;
  if (outcome === Outcome.TRUNCATED) return 500;
  if (outcome === Outcome.CLIENT_GONE && !wasForwarded) return 500;
  return status || 200;
}

/** Body bytes that go with that status. */
export function recordedSize(exchange: Exchange, outcome: Outcome): number {
  const isEmpty = exchange.responseStatus === 101 || outcome === Outcome.TRUNCATED;
  return isEmpty ? 0 : exchange.responseBytes;
}

/** The status of layer 10 (QP-142): also 500 when a timeout cut a started answer. */
export function recordedAppStatus(exchange: Exchange, outcome: Outcome): number {
  const status = exchange.responseStatus;
  if (outcome === Outcome.ABORTED && status !== 101) return 500;
  return recordedStatus(exchange, outcome, true);
}
