// TLS toward pods and activators (ACT-117 to ACT-120, ING-34): which names a server must prove,
// whom we trust, and how a connection is opened. Versions below 1.3 are not spoken, no client
// certificate is sent, sessions are not resumed. Only roles that dial TLS load this module. Not
// hot: once per connection.

import type { PeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import { checkServerIdentity, connect, createSecureContext } from 'node:tls';

const TCP_KEEP_ALIVE_MS = 5_000;

/** How the connections of one pool are secured. */
export interface UpstreamTls {
  /** Tells pools to the same address apart. */
  readonly key: string;
  /** An unconnected socket that emits `secureConnect`, or `error`. */
  connect(address: { host: string; port: number }, protocol: 'h2' | 'http/1.1'): TLSSocket;
}

export interface TlsIdentity {
  /** SNI, and a name the certificate must cover; null = none is asked for. */
  readonly serverName: string | null;
  /** The leaf must name at least one of these exactly. */
  readonly oneOf: readonly string[];
}

/** Whom to trust, replaced as a whole; new connections use what is there then (ACT-120). */
export class TrustPool {
  #context: SecureContext | null = null;
  #ca: readonly string[] = [];

  /** PEM certificates; an empty pool trusts nobody. Throws when one cannot be read. */
  use(ca: readonly string[]): void {
    this.#context = createSecureContext({ ca: [...ca], minVersion: 'TLSv1.3' });
    this.#ca = ca;
  }

  get size(): number {
    return this.#ca.length;
  }

  get context(): SecureContext {
    this.#context ??= createSecureContext({ ca: [], minVersion: 'TLSv1.3' });
    return this.#context;
  }
}

export function createUpstreamTls(trust: TrustPool, identity: TlsIdentity): UpstreamTls {
  const { serverName, oneOf } = identity;
  return {
    key: `tls ${serverName ?? ''} ${oneOf.join(' ')}`,
    connect: ({ host, port }, protocol) => {
      const socket = connect({
        host,
        port,
        secureContext: trust.context,
        ALPNProtocols: [protocol],
        minVersion: 'TLSv1.3',
        ...(serverName === null ? {} : { servername: serverName }),
        checkServerIdentity: (_name, certificate) => identityError(identity, certificate),
      });
      socket.setNoDelay(true);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
      return socket;
    },
  };
}

/** ACT-119: undefined when the certificate proves both names. */
function identityError(
  { serverName, oneOf }: TlsIdentity,
  certificate: PeerCertificate,
): Error | undefined {
  if (certificate.raw === undefined) return new Error('no PeerCertificates provided');
  const named = serverName === null ? undefined : checkServerIdentity(serverName, certificate);
  if (named !== undefined) return named;
  const names = dnsNames(certificate);
  if (oneOf.some((name) => names.includes(name))) return undefined;
  const wanted = oneOf.join('" or "');
  return new Error(`san "${wanted}" does not have a matching name in [${names.join(' ')}]`);
}

function dnsNames({ subjectaltname = '' }: PeerCertificate): string[] {
  return subjectaltname
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length));
}
