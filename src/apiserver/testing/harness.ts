// Starts a real server on a free port and talks to it over HTTPS, for integration tests.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AdmissionPlugin } from '../../api/admission.ts';
import type { KubeObject } from '../../api/objects.ts';
import { systemClock } from '../../clock/clock.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { noPodLogs } from '../pod-logs.ts';
import { type ApiServer, type ApiServerOptions, startApiServer } from '../start.ts';

export const admitAll: AdmissionPlugin = {
  admit: ({ object }) => ({ allowed: true, object, warnings: [] }),
};

export interface Answer {
  code: number;
  headers: IncomingMessage['headers'];
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  body: any;
}

export interface CallOptions {
  body?: unknown;
  type?: string;
  accept?: string;
  headers?: Record<string, string>;
}

export interface WatchLine {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  object: any;
}

export const startTestServer = (options: Partial<ApiServerOptions> = {}): Promise<ApiServer> =>
  startApiServer({
    dataDir: null,
    durability: 'kernel',
    host: '127.0.0.1',
    port: 0,
    userName: 'tester',
    admission: admitAll,
    podLogs: noPodLogs,
    clock: systemClock,
    logger: silentLogger,
    ...options,
  });

/** A client of one server; `close` before stopping it. */
export class TestClient {
  readonly #server: Pick<ApiServer, 'url' | 'caPem' | 'token'>;
  readonly #agent: Agent;

  constructor(server: Pick<ApiServer, 'url' | 'caPem' | 'token'>) {
    this.#server = server;
    this.#agent = new Agent({ keepAlive: true, ca: server.caPem, maxSockets: 64 });
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const response = await this.#open(method, path, options);
    response.setEncoding('utf8');
    let text = '';
    for await (const chunk of response) text += chunk;
    const isJson =
      String(response.headers['content-type']).startsWith('application/json') &&
      response.headers['content-encoding'] === undefined;
    const body: unknown = isJson && text !== '' ? JSON.parse(text) : null;
    return { code: response.statusCode ?? 0, headers: response.headers, text, body };
  }

  get(path: string, options?: CallOptions): Promise<Answer> {
    return this.call('GET', path, options);
  }

  post(path: string, body: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('POST', path, { body, ...options });
  }

  put(path: string, body: unknown): Promise<Answer> {
    return this.call('PUT', path, { body });
  }

  merge(path: string, body: unknown): Promise<Answer> {
    return this.call('PATCH', path, { body, type: 'application/merge-patch+json' });
  }

  delete(path: string, body?: unknown): Promise<Answer> {
    return this.call('DELETE', path, body === undefined ? {} : { body });
  }

  async watch(path: string, options: CallOptions = {}): Promise<TestWatch> {
    const response = await this.#open('GET', path, options);
    return new TestWatch(response);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #open(method: string, path: string, options: CallOptions): Promise<IncomingMessage> {
    const { body, type = 'application/json', accept } = options;
    const payload = body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const request = httpsRequest(`${this.#server.url}${path}`, {
      method,
      agent: this.#agent,
      servername: 'localhost',
      headers: {
        authorization: `Bearer ${this.#server.token}`,
        ...(payload === undefined
          ? {}
          : { 'content-type': type, 'content-length': Buffer.byteLength(payload) }),
        ...(accept === undefined ? {} : { accept }),
        ...options.headers,
      },
    });
    request.end(payload);
    request.on('error', () => undefined); // `once` below rejects while it matters
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  }
}

/** Reads a watch line by line. */
export class TestWatch {
  readonly code: number;
  readonly #response: IncomingMessage;
  readonly #lines: AsyncGenerator<WatchLine>;

  constructor(response: IncomingMessage) {
    this.code = response.statusCode ?? 0;
    this.#response = response;
    this.#lines = readLines(response);
  }

  /** The next event; undefined when the stream has ended. */
  async next(): Promise<WatchLine | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : (value as WatchLine);
  }

  async take(count: number): Promise<WatchLine[]> {
    const taken: WatchLine[] = [];
    while (taken.length < count) {
      const event = await this.next();
      if (event === undefined) break;
      taken.push(event);
    }
    return taken;
  }

  close(): void {
    this.#response.destroy();
  }
}

async function* readLines(response: IncomingMessage): AsyncGenerator<WatchLine> {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response) {
      rest += chunk;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        yield JSON.parse(rest.slice(0, end)) as WatchLine;
        rest = rest.slice(end + 1);
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error; // closed by the test
  }
}

export const configMap = (name: string, data: Record<string, string> = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }) as KubeObject;

export const knativeService = (name: string, image = 'hello'): KubeObject =>
  ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name },
    spec: { template: { spec: { containers: [{ image }] } } },
  }) as KubeObject;

export const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
export const SERVICES = '/apis/serving.knative.dev/v1/namespaces/default/services';
export const PODS = '/api/v1/namespaces/default/pods';
export const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
