// TLS inside the system (ACT-117 to ACT-121): the activator's own TLS port, its certificate and
// whom it trusts, both kept in step with the API. Exists only when `system-internal-tls` was
// enabled at start. A pair that cannot be used is logged and the one in use stays. Not hot.

import type { Clock } from '../clock/clock.ts';
import { InternalTls } from '../kube/internal-tls.ts';
import type { InformerFactory } from '../kube/types.ts';
import { parseTlsPolicy, type TlsTexts } from '../proxy/tls-policy.ts';
import { TlsServer } from '../proxy/tls-server.ts';
import type { ExchangeHandler, HttpServerLimits } from '../proxy/types.ts';
import type { UpstreamPools } from '../proxy/upstream-pools.ts';
import { TrustPool } from '../proxy/upstream-tls.ts';
import type { Logger } from '../telemetry/logger.ts';
import { SecureUpstreams } from './secure-upstreams.ts';

export interface ActivatorTlsOptions {
  /** 0 = any free port; 8112 in a cluster. */
  readonly port: number;
  /** `ACTIVATOR_TLS_*` as they stand in the environment; '' = not set (ACT-5). */
  readonly texts: TlsTexts;
  /** For Secrets and config maps of the system namespace; default: the activator's own. */
  readonly informers?: InformerFactory;
  /** TLS port of pods; 8112 unless a test says otherwise. */
  readonly podPort?: number;
}

export interface ActivatorTlsDeps {
  readonly informers: InformerFactory;
  readonly systemNamespace: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ActivatorTls {
  readonly upstreams: SecureUpstreams;
  port = 0;
  readonly #options: ActivatorTlsOptions;
  readonly #deps: ActivatorTlsDeps;
  readonly #trust = new TrustPool();
  readonly #internal: InternalTls;
  #server: TlsServer | null = null;
  /** The newest pair, until the server has it. */
  #using: Promise<void> = Promise.resolve();
  #pem: { cert: string; key: string } | null = null;

  constructor(pools: UpstreamPools, options: ActivatorTlsOptions, deps: ActivatorTlsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.upstreams = new SecureUpstreams(pools, this.#trust, options.podPort);
    this.#internal = new InternalTls(
      {
        onCertificate: (pem) => this.#useCertificate(pem),
        onTrust: (certificates) => this.#useTrust(certificates),
      },
      { ...deps, informers: options.informers ?? deps.informers },
    );
  }

  /** Rejects when there is no certificate, naming its Secret; the policy may be refused, too. */
  async load(handler: ExchangeHandler, limits: HttpServerLimits): Promise<void> {
    const { clock, logger } = this.#deps;
    const policy = parseTlsPolicy(this.#options.texts, 'ACTIVATOR_TLS');
    await this.#internal.start();
    const server = new TlsServer(handler, { limits, clock, logger, policy, awaitsStreams: true });
    if (this.#pem !== null) await server.useCertificate(this.#pem);
    this.#server = server;
  }

  async listen(host: string): Promise<void> {
    if (this.#server === null) throw new Error('TLS certificates are not loaded');
    this.port = (await this.#server.listen({ host, port: this.#options.port })).port;
  }

  async drain(): Promise<void> {
    await this.#server?.drain();
  }

  async close(): Promise<void> {
    this.#internal.stop();
    await this.#using;
    await this.#server?.close();
  }

  #useCertificate(pem: { cert: string; key: string }): void {
    this.#pem = pem;
    const server = this.#server;
    if (server === null) return;
    // One after the other, so that the newest is the last.
    this.#using = this.#using
      .then(() => server.useCertificate(pem))
      .catch((error: unknown) => this.#deps.logger.error({ error }, 'certificate not usable'));
  }

  #useTrust(certificates: readonly string[]): void {
    try {
      this.#trust.use(certificates);
    } catch (error) {
      this.#deps.logger.error({ error }, 'trusted certificates not usable');
    }
  }
}
