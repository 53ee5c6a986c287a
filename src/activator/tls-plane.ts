// TLS of one request thread (ACT-117 to ACT-121): its server, whom it trusts, and the way to pods
// over TLS. The main thread has one, fed from the API, and so has every further thread, fed by the
// main one. A pair or a certificate that cannot be used is logged, what is in use stays. Not hot.

import type { Clock } from '../clock/clock.ts';
import { parseTlsPolicy, type TlsTexts } from '../proxy/tls-policy.ts';
import { type CertificatePem, TlsServer } from '../proxy/tls-server.ts';
import type {
  ExchangeHandler,
  HttpServer,
  HttpServerLimits,
  ListenOptions,
} from '../proxy/types.ts';
import type { UpstreamPools } from '../proxy/upstream-pools.ts';
import { TrustPool } from '../proxy/upstream-tls.ts';
import type { Logger } from '../telemetry/logger.ts';
import { SecureUpstreams } from './secure-upstreams.ts';

/** What can be sent to a thread. */
export interface TlsPlaneOptions {
  /** `ACTIVATOR_TLS_*` as they stand in the environment; '' = not set (ACT-5). */
  readonly texts: TlsTexts;
  /** TLS port of pods; 8112 unless a test says otherwise. */
  readonly podPort?: number;
}

export interface TlsPlaneDeps {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class TlsPlane {
  readonly upstreams: SecureUpstreams;
  readonly #options: TlsPlaneOptions;
  readonly #deps: TlsPlaneDeps;
  readonly #trust = new TrustPool();
  #server: TlsServer | null = null;
  #pem: CertificatePem | null = null;
  /** Until the server has the newest pair. */
  #using: Promise<unknown> = Promise.resolve();

  constructor(pools: UpstreamPools, options: TlsPlaneOptions, deps: TlsPlaneDeps) {
    this.#options = options;
    this.#deps = deps;
    this.upstreams = new SecureUpstreams(pools, this.#trust, options.podPort);
  }

  /** Null before `open`. */
  get server(): HttpServer | null {
    return this.#server;
  }

  /** Rejects when the policy, or the pair that is there by now, cannot be used. */
  async open(handler: ExchangeHandler, limits: HttpServerLimits): Promise<void> {
    const { clock, logger } = this.#deps;
    const policy = parseTlsPolicy(this.#options.texts, 'ACTIVATOR_TLS');
    const server = new TlsServer(handler, { limits, clock, logger, policy, awaitsStreams: true });
    let used: CertificatePem | null = null;
    while (this.#pem !== used) {
      used = this.#pem as CertificatePem; // Another one may come meanwhile.
      await server.useCertificate(used);
    }
    this.#server = server;
  }

  async listen(options: ListenOptions): Promise<number> {
    if (this.#server === null) throw new Error('TLS certificates are not loaded');
    return (await this.#server.listen(options)).port;
  }

  async drain(): Promise<void> {
    await this.#server?.drain();
  }

  async close(): Promise<void> {
    await this.#using;
    await this.#server?.close();
  }

  /** False = it cannot be used. Before `open` it is kept and looked at there. */
  useCertificate(pem: CertificatePem): Promise<boolean> {
    this.#pem = pem;
    const server = this.#server;
    if (server === null) return Promise.resolve(true);
    // One after the other, so that the newest is the last.
    const used = this.#using
      .then(() => server.useCertificate(pem))
      .then(
        () => true,
        (error: unknown) => {
          this.#deps.logger.error({ error }, 'certificate not usable');
          return false;
        },
      );
    this.#using = used;
    return used;
  }

  /** False = one of them cannot be read. */
  useTrust(certificates: readonly string[]): boolean {
    try {
      this.#trust.use(certificates);
      return true;
    } catch (error) {
      this.#deps.logger.error({ error }, 'trusted certificates not usable');
      return false;
    }
  }
}
