// Requests of the API server bench, on bare keep-alive connections, so that the load costs less than the
// server; and the objects they write: Revision-sized ones of 2 KB.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { ApiHostAddress } from './api-host.ts';

const REVISIONS = '/apis/serving.knative.dev/v1/namespaces/default/revisions';
const ENVIRONMENT_ENTRIES = 16;

export class ApiLoad {
  readonly #address: ApiHostAddress;
  readonly #agent: Agent;

  constructor(address: ApiHostAddress) {
    this.#address = address;
    this.#agent = new Agent({ keepAlive: true, ca: address.caPem, maxSockets: 256 });
  }

  async create(name: string): Promise<void> {
    await this.#write('POST', REVISIONS, revision(name), 'application/json');
  }

  /** What the autoscaler does all day. */
  async patchStatus(name: string, replicas: number): Promise<void> {
    const body = JSON.stringify({ status: { actualReplicas: replicas } });
    const type = 'application/merge-patch+json';
    await this.#write('PATCH', `${REVISIONS}/${name}/status`, body, type);
  }

  /** Bytes of the whole list. */
  async list(): Promise<number> {
    const response = await this.#open('GET', REVISIONS, null, '');
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    return bytes;
  }

  /** Calls back with every event's line; resolves when the stream is open. */
  async watch(onLine: (line: string) => void): Promise<void> {
    const response = await this.#open('GET', `${REVISIONS}?watch=1`, null, '');
    response.setEncoding('utf8');
    let rest = '';
    response.on('data', (chunk: string) => {
      rest += chunk;
      let start = 0;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
        onLine(rest.slice(start, end));
        start = end + 1;
      }
      rest = rest.slice(start);
    });
    response.on('error', () => undefined);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #write(method: string, path: string, body: string, type: string): Promise<void> {
    const response = await this.#open(method, path, body, type);
    response.resume();
    await once(response, 'end');
    const { statusCode = 0 } = response;
    if (statusCode >= 300) throw new Error(`${method} ${path} was answered ${statusCode}`);
  }

  async #open(
    method: string,
    path: string,
    body: string | null,
    type: string,
  ): Promise<IncomingMessage> {
    const asked = request(`${this.#address.server}${path}`, {
      method,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#address.token}`,
        ...(body === null ? {} : { 'content-type': type, 'content-length': body.length }),
      },
    });
    asked.setNoDelay(true);
    asked.end(body ?? undefined);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return response;
  }
}

function revision(name: string): string {
  const env = Array.from({ length: ENVIRONMENT_ENTRIES }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: `a value of some length, number ${index}`,
  }));
  return JSON.stringify({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: {
      name,
      labels: {
        'serving.knative.dev/configuration': name,
        'serving.knative.dev/service': name,
        'serving.knative.dev/configurationGeneration': '1',
      },
      annotations: { 'autoscaling.knative.dev/target': '100' },
    },
    spec: {
      containerConcurrency: 0,
      timeoutSeconds: 300,
      containers: [{ name: 'user-container', image: 'registry.example.com/team/app:1', env }],
    },
  });
}
