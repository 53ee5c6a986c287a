// The API as a plain https client sees it: no client library between, so codes, headers and bodies
// are the server's own. Credentials are those of the kubeconfig the product wrote.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { parse } from 'yaml';

/** Sockets kept for requests; watches open their own. */
const MAX_SOCKETS = 8;

export interface ApiAnswer {
  readonly code: number;
  readonly headers: IncomingMessage['headers'];
  /** Parsed when it is JSON, else the text. */
  readonly body: unknown;
}

export interface ApiOptions {
  body?: unknown;
  /** Of the body; `application/json` unless given. */
  type?: string;
  accept?: string;
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { token: string } }[];
}

export class ApiClient {
  readonly #server: string;
  readonly #token: string;
  readonly #ca: Buffer;
  readonly #agent: Agent;
  readonly #watches = new Set<IncomingMessage>();

  constructor(kubeconfig: string) {
    const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
    this.#server = clusters[0]!.cluster.server;
    this.#ca = Buffer.from(clusters[0]!.cluster['certificate-authority-data'], 'base64');
    this.#token = users[0]!.user.token;
    this.#agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, ca: this.#ca });
  }

  async ask(method: string, path: string, options: ApiOptions = {}): Promise<ApiAnswer> {
    const response = await this.#open(method, path, options, this.#agent);
    let text = '';
    for await (const chunk of response) text += chunk;
    const isJson = (response.headers['content-type'] ?? '').startsWith('application/json');
    const body: unknown = isJson ? JSON.parse(text) : text;
    return { code: response.statusCode ?? 0, headers: response.headers, body };
  }

  /** The lines of a watch, each parsed, until the server or `close` ends it. */
  async *watch(path: string): AsyncGenerator<unknown> {
    const response = await this.#open('GET', path, {}, new Agent({ ca: this.#ca }));
    this.#watches.add(response);
    let rest = '';
    try {
      for await (const chunk of response) {
        rest += chunk;
        for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
          yield JSON.parse(rest.slice(0, end));
          rest = rest.slice(end + 1);
        }
      }
    } finally {
      this.#watches.delete(response);
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
    for (const watch of this.#watches) watch.destroy();
  }

  async #open(
    method: string,
    path: string,
    options: ApiOptions,
    agent: Agent,
  ): Promise<IncomingMessage> {
    const { body, type = 'application/json', accept = 'application/json' } = options;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> = {
      accept,
      authorization: `Bearer ${this.#token}`,
      ...(payload === undefined
        ? {}
        : { 'content-type': type, 'content-length': String(Buffer.byteLength(payload)) }),
    };
    const asked = request(`${this.#server}${path}`, { method, agent, headers });
    asked.end(payload);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    return response;
  }
}
