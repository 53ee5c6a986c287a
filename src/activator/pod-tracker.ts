// One pod as the throttler sees it: its slots and the header changes of requests to it (ACT-52,
// ACT-104 to ACT-107). A tracker lives as long as its address is listed, so running requests are
// not forgotten when the list around it changes (ACT-63); one that left and came back starts
// afresh. The ClusterIP of a revision is a tracker without a limit (ACT-64).
// Invariant: 0 <= inFlight, and <= containerConcurrency unless that is 0. Hot, allocates only for
// a client host it has not seen lately.

import { type CompiledHeaderEdits, createHeaderEdits } from '../proxy/header-edits.ts';
import type { HeaderEdits, Upstream } from '../proxy/types.ts';
import {
  NETWORK_HASH_KEY,
  ORIGINAL_HOST_HEADER,
  ORIGINAL_HOST_KEY,
  PASSTHROUGH_LB_LINE,
  PROXY_REQUEST_ACTIVATOR,
  PROXY_REQUEST_HEADER,
  SERVING_NAMESPACE_KEY,
  SERVING_REVISION_KEY,
} from '../wire/probe-headers.ts';
import type { LbTarget } from './lb/policy.ts';

/** Client hosts whose header changes a pod remembers; at the limit all are forgotten. */
const MAX_CACHED_HOSTS = 64;

const DROPPED = [SERVING_REVISION_KEY, SERVING_NAMESPACE_KEY, NETWORK_HASH_KEY];
const MARK = { [PROXY_REQUEST_HEADER]: PROXY_REQUEST_ACTIVATOR };
/** What all pods have in common, compiled once: with and without a K-Original-Host of our own. */
const KEEP_ORIGINAL = createHeaderEdits({ drop: DROPPED, set: MARK, forwardedFor: true });
const SET_ORIGINAL = createHeaderEdits({
  drop: [...DROPPED, ORIGINAL_HOST_KEY],
  set: MARK,
  forwardedFor: true,
});

export interface PodTrackerOptions {
  /** `ip:port`, IPv6 in brackets. */
  dest: string;
  upstream: Upstream;
  /** Requests at once; 0 = unlimited. */
  limit: number;
  /** ACT-105: Host by which a mesh lets us through to the pod; null = the pod's address. */
  passthroughHost?: string | null;
}

export class PodTracker implements LbTarget {
  /** `ip:port`, IPv6 in brackets. */
  readonly dest: string;
  /** Renewed when the pod had to prove itself again. */
  upstream: Upstream;
  readonly #limit: number;
  readonly #host: string;
  readonly #lines: string;
  #inFlight = 0;
  readonly #keepOriginalHost: HeaderEdits;
  /** By client host; made with the first request. */
  #editsByHost: Map<string, CompiledHeaderEdits> | null = null;

  constructor({ dest, upstream, limit, passthroughHost = null }: PodTrackerOptions) {
    this.dest = dest;
    this.upstream = upstream;
    this.#limit = limit;
    this.#host = passthroughHost ?? dest;
    this.#lines = KEEP_ORIGINAL.add + (passthroughHost === null ? '' : PASSTHROUGH_LB_LINE);
    this.#keepOriginalHost = KEEP_ORIGINAL.withValues(this.#lines, this.#host);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  reserve(): boolean {
    if (this.#limit > 0 && this.#inFlight >= this.#limit) return false;
    this.#inFlight += 1;
    return true;
  }

  release(): void {
    if (this.#inFlight === 0) throw new Error('pod slot released more often than reserved');
    this.#inFlight -= 1;
  }

  /**
   * ACT-104: the pod is addressed as itself; the host the client asked for travels in
   * K-Original-Host unless an earlier hop has set that already. `host` comes from a parsed head, so
   * it holds nothing that ends a line.
   */
  editsFor(host: string, originalHost: string): HeaderEdits {
    if (originalHost !== '' || host === '') return this.#keepOriginalHost;
    this.#editsByHost ??= new Map();
    const known = this.#editsByHost.get(host);
    if (known !== undefined) return known;
    const lines = `${this.#lines}${ORIGINAL_HOST_HEADER}: ${host}\r\n`;
    const edits = SET_ORIGINAL.withValues(lines, this.#host);
    if (this.#editsByHost.size >= MAX_CACHED_HOSTS) this.#editsByHost.clear();
    this.#editsByHost.set(host, edits);
    return edits;
  }
}
