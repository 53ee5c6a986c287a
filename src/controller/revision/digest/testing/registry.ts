// A small registry over real HTTP for tests: manifests by repository and tag, behind nothing, a
// password or a token, with the failures registries have.

import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RegistryRules {
  /** `user:password` that manifests, or tokens, are given for; absent = to anybody. */
  credentials?: string;
  access?: 'open' | 'basic' | 'bearer';
  /** HEAD is answered 405. */
  refusesHead?: boolean;
  /** Manifests come without a digest header. */
  hidesDigest?: boolean;
  /** Never answers. */
  isSilent?: boolean;
  /** Every manifest is answered with this status. */
  status?: number;
}

const TOKEN = 'a-token';

export class TestRegistry {
  rules: RegistryRules = {};
  /** Nothing is answered before. */
  gate: Promise<void> = Promise.resolve();
  /** `METHOD path`, in order. */
  readonly requests: string[] = [];
  readonly tokenQueries: URLSearchParams[] = [];
  readonly #manifests = new Map<string, string>();
  readonly #server = http.createServer((request, response) => {
    void this.gate.then(() => this.#answer(request, response));
  });

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stores a manifest; its digest. */
  push(repository: string, tag: string, manifest = `${repository}:${tag}`): string {
    this.#manifests.set(`/v2/${repository}/manifests/${tag}`, manifest);
    return digestOf(manifest);
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    this.requests.push(`${request.method} ${url.pathname}`);
    if (this.rules.isSilent) return;
    if (url.pathname === '/token') this.#token(request, url, response);
    else if (this.#mayRead(request, response)) this.#manifest(request, url.pathname, response);
  }

  #token(request: http.IncomingMessage, url: URL, response: http.ServerResponse): void {
    this.tokenQueries.push(url.searchParams);
    const isKnown = this.#hasPassword(request);
    response.statusCode = isKnown ? 200 : 401;
    response.end(isKnown ? JSON.stringify({ token: TOKEN }) : '{"errors":[{"code":"DENIED"}]}');
  }

  #hasPassword({ headers }: http.IncomingMessage): boolean {
    const { credentials } = this.rules;
    if (credentials === undefined) return true;
    return headers.authorization === `Basic ${Buffer.from(credentials).toString('base64')}`;
  }

  #mayRead(request: http.IncomingMessage, response: http.ServerResponse): boolean {
    const { access = 'open' } = this.rules;
    if (access === 'open') return true;
    const isAllowed =
      access === 'basic'
        ? this.#hasPassword(request)
        : request.headers.authorization === `Bearer ${TOKEN}`;
    if (isAllowed) return true;
    const bearer = `Bearer realm="http://${this.host}/token",service="test registry"`;
    response.statusCode = 401;
    response.setHeader('www-authenticate', access === 'basic' ? 'Basic realm="r"' : bearer);
    response.end();
    return false;
  }

  #manifest(request: http.IncomingMessage, path: string, response: http.ServerResponse): void {
    const manifest = this.#manifests.get(path);
    const { refusesHead, hidesDigest, status } = this.rules;
    if (status !== undefined) response.statusCode = status;
    else if (refusesHead === true && request.method === 'HEAD') response.statusCode = 405;
    else if (manifest === undefined) response.statusCode = 404;
    else if (hidesDigest !== true) {
      response.setHeader('docker-content-digest', digestOf(manifest));
    }
    response.end(response.statusCode === 200 ? manifest : '');
  }
}

export function digestOf(manifest: string): string {
  return `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
}
