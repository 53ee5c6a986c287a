// One pod as the throttler sees it: its slots and the header changes of requests to it (ACT-52,
// ACT-104 to ACT-107). A tracker lives as long as its address is listed, so running requests are
// not forgotten when the list around it changes (ACT-63); one that left and came back starts
// afresh.
// Invariant: 0 <= inFlight, and <= containerConcurrency unless that is 0. Hot, allocates only for
// a client host it has not seen lately.

import { createHeaderEdits } from '../proxy/header-edits.ts';
import type { HeaderEdits, Upstream } from '../proxy/types.ts';
import {
  NETWORK_HASH_KEY,
  ORIGINAL_HOST_HEADER,
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

export class PodTracker implements LbTarget {
  /** `ip:port`, IPv6 in brackets. */
  readonly dest: string;
  readonly upstream: Upstream;
  readonly #limit: number;
  #inFlight = 0;
  readonly #keepOriginalHost: HeaderEdits;
  readonly #editsByHost = new Map<string, HeaderEdits>();

  /** `containerConcurrency` 0 means unlimited. */
  constructor(dest: string, upstream: Upstream, containerConcurrency: number) {
    this.dest = dest;
    this.upstream = upstream;
    this.#limit = containerConcurrency;
    this.#keepOriginalHost = createHeaderEdits({
      drop: DROPPED,
      set: MARK,
      host: dest,
      forwardedFor: true,
    });
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
   * K-Original-Host unless an earlier hop has set that already.
   */
  editsFor(host: string, originalHost: string): HeaderEdits {
    if (originalHost !== '' || host === '') return this.#keepOriginalHost;
    const known = this.#editsByHost.get(host);
    if (known !== undefined) return known;
    const edits = createHeaderEdits({
      drop: DROPPED,
      set: { ...MARK, [ORIGINAL_HOST_HEADER]: host },
      host: this.dest,
      forwardedFor: true,
    });
    if (this.#editsByHost.size >= MAX_CACHED_HOSTS) this.#editsByHost.clear();
    this.#editsByHost.set(host, edits);
    return edits;
  }
}
