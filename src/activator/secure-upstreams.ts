// TLS toward pods (ACT-117 to ACT-119): requests go to the TLS port of the sidecar instead of its
// open one, and the sidecar has to prove that it serves the revision's namespace. Probes stay on
// the open port (ACT-95). Not hot: pools are made when pods appear.

import { type PoolKind, UpstreamPool, type UpstreamPools } from '../proxy/upstream-pools.ts';
import { createUpstreamTls, type TrustPool } from '../proxy/upstream-tls.ts';
import type { UpstreamSource } from './revision-throttler.ts';

/** The sidecar's TLS port, and the one of a ClusterIP Service (ACT-118). */
const POD_TLS_PORT = 8112;
const SERVICE_TLS_PORT = 443;
/** Port of a private Service for both protocols (ACT-88). */
const SERVICE_PORT = 80;
const SERVER_NAME = 'data-plane.knative.dev';
const USER_SAN_PREFIX = 'kn-user-';

export class SecureUpstreams {
  readonly #pools: UpstreamPools;
  readonly #trust: TrustPool;
  readonly #tlsPort: number;

  /** `podTlsPort`: 8112 unless a test says otherwise. */
  constructor(pools: UpstreamPools, trust: TrustPool, podTlsPort = POD_TLS_PORT) {
    this.#pools = pools;
    this.#trust = trust;
    this.#tlsPort = podTlsPort;
  }

  /** The pools of one namespace's revisions. */
  of(namespace: string): UpstreamSource {
    const name = USER_SAN_PREFIX + namespace.toLowerCase();
    const tls = createUpstreamTls(this.#trust, { serverName: SERVER_NAME, oneOf: [name] });
    const kind: PoolKind = {
      key: tls.key,
      create: (host, port, options, deps) => new UpstreamPool(host, port, options, deps, tls),
    };
    const tlsPort = this.#tlsPort;
    return {
      at: (host, port) =>
        this.#pools.at(host, port === SERVICE_PORT ? SERVICE_TLS_PORT : tlsPort, kind),
      forget: (upstream) => this.#pools.forget(upstream),
    };
  }
}
