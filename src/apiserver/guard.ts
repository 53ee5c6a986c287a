// Who may ask. The API starts processes, so to a web page it must not exist: any request with an
// Origin or under a foreign host name is refused before its path is looked at, and everything but
// the health checks needs the bearer token. Pure.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { forbiddenRequest, unauthorized } from './status-error.ts';

/** Paths that tell nothing and need no token, as on Kubernetes. */
const PUBLIC_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version']);

export class Guard {
  readonly #tokenHash: Buffer;
  readonly #hosts: ReadonlySet<string>;
  /** The Authorization a connection has shown before, and rightly: it need not be hashed again. */
  readonly #trusted = new WeakMap<object, string>();

  /** `hosts`: names and addresses this server answers to, without port. */
  constructor(token: string, hosts: readonly string[]) {
    this.#tokenHash = hash(token);
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()));
  }

  isToken(text: string): boolean {
    return timingSafeEqual(hash(text), this.#tokenHash);
  }

  /** Throws 401 or 403. `connection`: what the request came over; a token is hashed once on it. */
  check(path: string, headers: IncomingHttpHeaders, connection?: object): void {
    if (headers.origin !== undefined) {
      throw forbiddenRequest('requests from web pages are refused');
    }
    if (!this.#hosts.has(hostName(headers.host ?? ''))) {
      throw forbiddenRequest(`requests for host ${JSON.stringify(headers.host ?? '')} are refused`);
    }
    for (const name in headers) {
      if (name.startsWith('impersonate-')) {
        throw forbiddenRequest('impersonation is not supported');
      }
    }
    if (PUBLIC_PATHS.has(path)) return;
    const { authorization = '' } = headers;
    const known = connection === undefined ? undefined : this.#trusted.get(connection);
    if (known !== undefined && known === authorization) return;
    const [scheme = '', token = ''] = authorization.split(' ');
    if (scheme.toLowerCase() !== 'bearer' || !this.isToken(token)) throw unauthorized();
    if (connection !== undefined) this.#trusted.set(connection, authorization);
  }
}

/** Hashing first makes the comparison take the same time for any length. */
function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]+)\]/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}
