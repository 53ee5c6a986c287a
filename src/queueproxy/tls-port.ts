// The sidecar's TLS port: decides at start whether there is one (QP-160), reads its policy and its
// certificate, and keeps the certificate fresh. Not hot.

import type { Clock } from '../clock/clock.ts';
import { parseTlsPolicy, type TlsTexts } from '../proxy/tls-policy.ts';
import { TlsServer } from '../proxy/tls-server.ts';
import type { ExchangeHandler, HttpServer, HttpServerLimits } from '../proxy/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { CertificateFiles } from './tls-certificates.ts';

export interface TlsSettings extends TlsTexts {
  readonly certificateDirectory: string;
}

export interface TlsPortDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: HttpServerLimits;
}

export class TlsPort {
  readonly server: HttpServer;
  readonly #files: CertificateFiles;

  private constructor(server: TlsServer, files: CertificateFiles) {
    this.server = server;
    this.#files = files;
  }

  /** Null when there is no certificate; rejects when there is one and it cannot be served. */
  static async open(
    settings: TlsSettings,
    handler: ExchangeHandler,
    deps: TlsPortDeps,
  ): Promise<TlsPort | null> {
    const files = new CertificateFiles(settings.certificateDirectory, deps);
    if (!(await files.arePresent())) return null;
    const server = new TlsServer(handler, { ...deps, policy: parseTlsPolicy(settings) });
    await files.watch((pem) => server.useCertificate(pem));
    return new TlsPort(server, files);
  }

  async close(): Promise<void> {
    this.#files.stop();
    await this.server.close();
  }
}
