// TLS inside the system (ACT-117 to ACT-121): the activator's own TLS port, its certificate and
// whom it trusts, both kept in step with the API. Exists only when `system-internal-tls` was
// enabled at start. Further request threads are told what this one can use. Not hot.

import { InternalTls } from '../kube/internal-tls.ts';
import type { InformerFactory } from '../kube/types.ts';
import type { CertificatePem } from '../proxy/tls-server.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { UpstreamPools } from '../proxy/upstream-pools.ts';
import type { SecureUpstreams } from './secure-upstreams.ts';
import { TlsPlane, type TlsPlaneDeps, type TlsPlaneOptions } from './tls-plane.ts';

export interface ActivatorTlsOptions extends TlsPlaneOptions {
  /** 0 = any free port; 8112 in a cluster. */
  readonly port: number;
  /** For Secrets and config maps of the system namespace; default: the activator's own. */
  readonly informers?: InformerFactory;
}

export interface ActivatorTlsDeps extends TlsPlaneDeps {
  readonly informers: InformerFactory;
  readonly systemNamespace: string;
}

/** Who serves with the same certificate and trusts the same servers. */
export interface TlsFollowers {
  useCertificate(pem: CertificatePem): void;
  useTrust(certificates: readonly string[]): void;
}

export class ActivatorTls {
  port = 0;
  /** Set before `load`; null = there are none. */
  followers: TlsFollowers | null = null;
  readonly #options: ActivatorTlsOptions;
  readonly #plane: TlsPlane;
  readonly #internal: InternalTls;

  constructor(pools: UpstreamPools, options: ActivatorTlsOptions, deps: ActivatorTlsDeps) {
    this.#options = options;
    this.#plane = new TlsPlane(pools, options, deps);
    this.#internal = new InternalTls(
      {
        onCertificate: (pem) => void this.#useCertificate(pem),
        onTrust: (certificates) => this.#useTrust(certificates),
      },
      { ...deps, informers: options.informers ?? deps.informers },
    );
  }

  get upstreams(): SecureUpstreams {
    return this.#plane.upstreams;
  }

  /** What listens, for threads that join. */
  get server(): HttpServer | null {
    return this.#plane.server;
  }

  /** Rejects when there is no certificate, naming its Secret; the policy may be refused, too. */
  async load(handler: ExchangeHandler, limits: HttpServerLimits): Promise<void> {
    await this.#internal.start();
    await this.#plane.open(handler, limits);
  }

  async listen(host: string): Promise<void> {
    this.port = await this.#plane.listen({ host, port: this.#options.port });
  }

  async drain(): Promise<void> {
    await this.#plane.drain();
  }

  async close(): Promise<void> {
    this.#internal.stop();
    await this.#plane.close();
  }

  async #useCertificate(pem: CertificatePem): Promise<void> {
    if (await this.#plane.useCertificate(pem)) this.followers?.useCertificate(pem);
  }

  #useTrust(certificates: readonly string[]): void {
    if (this.#plane.useTrust(certificates)) this.followers?.useTrust(certificates);
  }
}
