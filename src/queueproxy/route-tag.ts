// The route tag of a request (QP-147, QP-150): which traffic target was asked for, for metrics and
// spans. Hot when one of them is on.

import type { Exchange } from '../proxy/types.ts';
import { DEFAULT_ROUTE_KEY, SERVING_TAG_KEY } from '../wire/probe-headers.ts';

const DISABLED = 'kn:disabled';
const DEFAULT = 'kn:default';
const UNDEFINED = 'kn:undefined';
const LEGACY: Readonly<Record<string, string>> = {
  [DISABLED]: 'DISABLED',
  [DEFAULT]: 'DEFAULT',
  [UNDEFINED]: 'UNDEFINED',
};

export function routeTag(exchange: Exchange): string {
  const tag = exchange.header(SERVING_TAG_KEY);
  const isDefault = exchange.header(DEFAULT_ROUTE_KEY);
  if (tag === '') return isDefault === '' ? DISABLED : DEFAULT;
  return isDefault === 'true' ? UNDEFINED : tag;
}

/** How the metrics up to 1.18 spelled it. */
export function legacyRouteTag(tag: string): string {
  return LEGACY[tag] ?? tag;
}
