// Header changes on the way to the app: routing headers go, the client's host comes back (QP-66),
// Forwarded is built where it is missing (QP-90). Requests that need neither share one compiled
// set.
// Hot: runs once per forwarded request.

import { createHeaderEdits } from '../proxy/header-edits.ts';
import type { Exchange, HeaderEdits } from '../proxy/types.ts';
import {
  ORIGINAL_HOST_KEY,
  SERVING_NAMESPACE_KEY,
  SERVING_REVISION_KEY,
} from '../wire/probe-headers.ts';
import { buildForwarded } from './forwarded.ts';

const ROUTING_KEYS = [SERVING_REVISION_KEY, SERVING_NAMESPACE_KEY];
const FORWARDED_KEY = 'forwarded';

/** QP-65, QP-67: what every request gets. */
const PLAIN = createHeaderEdits({ drop: ROUTING_KEYS, forwardedFor: true });
const WITH_HOST = createHeaderEdits({
  drop: [...ROUTING_KEYS, ORIGINAL_HOST_KEY],
  forwardedFor: true,
});
const WITH_FORWARDED = createHeaderEdits({
  drop: [...ROUTING_KEYS, FORWARDED_KEY],
  forwardedFor: true,
});
const WITH_BOTH = createHeaderEdits({
  drop: [...ROUTING_KEYS, ORIGINAL_HOST_KEY, FORWARDED_KEY],
  forwardedFor: true,
});

/** `restoreHost` false for requests that bypass that layer (QP-66). */
export function requestEdits(exchange: Exchange, restoreHost: boolean): HeaderEdits {
  const originalHost = restoreHost ? exchange.header(ORIGINAL_HOST_KEY) : '';
  const forwarded = forwardedFor(exchange);
  if (originalHost === '' && forwarded === '') return PLAIN;
  if (forwarded === '') return WITH_HOST.withValues('', originalHost);
  const add = `Forwarded: ${forwarded}\r\n`;
  if (originalHost === '') return WITH_FORWARDED.withValues(add, null);
  return WITH_BOTH.withValues(add, originalHost);
}

function forwardedFor(exchange: Exchange): string {
  const addresses = exchange.header('x-forwarded-for');
  const host = exchange.header('x-forwarded-host');
  const proto = exchange.header('x-forwarded-proto');
  if (addresses === '' && host === '' && proto === '') return '';
  return buildForwarded(exchange.header(FORWARDED_KEY), addresses, host, proto);
}
