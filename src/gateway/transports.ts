// How the gateway speaks to one address: HTTP/1.1 or HTTP/2, as the Service says (ING-16), in plain
// text or over TLS (ING-34). Each is a kind of pool of its own. Not hot.

import { http1Only, http2Only } from '../proxy/fixed-protocol-pools.ts';
import type { PoolKind } from '../proxy/upstream-pools.ts';
import type { UpstreamTls } from '../proxy/upstream-tls.ts';

export interface Transport {
  readonly http1: PoolKind;
  readonly http2: PoolKind;
  /** Beside `http2`, which has no protocol upgrades; apart from `http1` of the same address. */
  readonly upgrades: PoolKind;
}

/** `tls` null = plain text. */
export function transportOver(tls: UpstreamTls | null): Transport {
  const http1 = http1Only(tls);
  const upgrades = { ...http1, key: `upgrades ${http1.key}` };
  return { http1, http2: http2Only(tls), upgrades };
}

export const PLAIN_TRANSPORT: Transport = transportOver(null);
