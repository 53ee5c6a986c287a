// TLS in front of the metrics page (METRICS_PROMETHEUS_TLS_*, QP-9), with client certificates if
// asked for. Files are read once, when the port opens; a wrong setting keeps only this port closed.
// Loaded only when a certificate is configured. Cold.

import { readFileSync } from 'node:fs';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { peerOf } from './connection-host.ts';
import type { NetHttpServer } from './net-server.ts';
import { parseTlsPolicy } from './tls-policy.ts';
import type { ListenOptions } from './types.ts';

export type TlsVariables = Readonly<Record<string, string>>;

/** As for a request head on this port (QP-5); also what a close may wait for at most. */
const HANDSHAKE_TIMEOUT_MS = 5_000;

export class MetricsTlsFront {
  readonly #server: NetHttpServer;
  readonly #front: Server;

  /** Throws an Error that names what is wrong with the settings or a file. */
  constructor(server: NetHttpServer, variables: TlsVariables) {
    this.#server = server;
    this.#front = createServer(tlsOptions(variables), (socket) =>
      server.accept(socket, peerOf(socket)),
    );
    // A handshake that fails is the client's business.
    this.#front.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  listen({ host, port }: ListenOptions): Promise<{ port: number }> {
    return new Promise((resolve, reject) => {
      this.#front.once('error', reject);
      this.#front.listen(port, host, () => {
        this.#front.off('error', reject);
        // A connection that could not be accepted: whoever scrapes comes again.
        this.#front.on('error', () => undefined);
        const address = this.#front.address();
        resolve({ port: address === null || typeof address === 'string' ? 0 : address.port });
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#front.close(() => resolve());
    });
    await this.#server.close();
    await closed;
  }
}

function tlsOptions(variables: TlsVariables): TlsOptions {
  const value = (name: string) => variables[`METRICS_PROMETHEUS_TLS_${name}`] ?? '';
  const clientAuth = value('CLIENT_AUTH') || 'none';
  if (!/^(none|optional|require)$/.test(clientAuth)) {
    throw new Error(
      `METRICS_PROMETHEUS_TLS_CLIENT_AUTH: "${clientAuth}" is not none, optional or require`,
    );
  }
  const caFile = value('CLIENT_CA_FILE');
  if (clientAuth !== 'none' && caFile === '') {
    throw new Error('METRICS_PROMETHEUS_TLS_CLIENT_CA_FILE is needed for client certificates');
  }
  return {
    ...parseTlsPolicy({
      minVersion: value('MIN_VERSION'),
      maxVersion: value('MAX_VERSION'),
      cipherSuites: value('CIPHER_SUITES'),
      curvePreferences: value('CURVE_PREFERENCES'),
    }),
    cert: readFileSync(value('CERT')),
    key: readFileSync(value('KEY')),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'require',
    ...(caFile === '' ? {} : { ca: readFileSync(caFile) }),
  };
}
