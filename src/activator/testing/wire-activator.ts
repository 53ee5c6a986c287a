// The whole activator on real sockets for load tests: an API in memory, pods that are ports of this
// machine, clients that keep their connections and send one request after the other.

import { connect } from 'node:net';
import type { Endpoints } from '../../api/core.ts';
import { Endpoints as EndpointsKind, Revision as RevisionKind } from '../../api/kinds.ts';
import type { Revision, RevisionSpec } from '../../api/serving.ts';
import { systemClock } from '../../clock/clock.ts';
import { createInformerFactory } from '../../kube/informer.ts';
import { MemoryClient } from '../../kube/testing/memory-client.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import { type RunningActivator, startActivator } from '../start.ts';
import { revision, seededRandom } from './harness.ts';

export interface Sent {
  readonly id: string;
  readonly method: string;
  status: number;
  body: string;
}

export interface LoadOptions {
  revision: string;
  requests: number;
  connections: number;
  /** Default GET. */
  methodOf?: (number: number) => string;
}

export class WireActivator {
  readonly client = new MemoryClient();
  running!: RunningActivator;
  #stopInformers: () => Promise<void> = async () => undefined;

  /** `prepare` fills the API before the activator looks at it. */
  static async start(prepare?: (wire: WireActivator) => Promise<void>): Promise<WireActivator> {
    const wire = new WireActivator();
    await prepare?.(wire);
    const deps = { clock: systemClock, logger: silentLogger, random: seededRandom(11) };
    const informers = createInformerFactory(wire.client, deps);
    const starting = startActivator({
      ...deps,
      client: wire.client,
      informers,
      host: '127.0.0.1',
      port: 0,
      podName: 'activator-0',
      autoscalerUrl: () => null,
      systemNamespace: 'knative-serving',
      clusterDomain: 'cluster.local',
    });
    await informers.start();
    wire.#stopInformers = () => informers.stop();
    wire.running = await starting;
    return wire;
  }

  async deploy(name: string, spec: Partial<RevisionSpec> = {}): Promise<Revision> {
    return this.client.create<Revision>(RevisionKind, revision(name, spec));
  }

  /** The ready pods of a revision from now on, by port. */
  async list(name: string, ports: readonly number[]): Promise<void> {
    const subsets = ports.map((port) => ({
      addresses: [{ ip: '127.0.0.1' }],
      ports: [{ name: 'http', port }],
    }));
    const key = { namespace: 'default', name: `${name}-private` };
    const current = await this.client.get<Endpoints>(EndpointsKind, key).catch(() => null);
    if (current !== null) {
      await this.client.update<Endpoints>(EndpointsKind, { ...current, subsets });
      return;
    }
    const labels = {
      'serving.knative.dev/revision': name,
      'serving.knative.dev/revisionUID': `uid-${name}`,
      'networking.internal.knative.dev/serviceType': 'Private',
    };
    await this.client.create<Endpoints>(EndpointsKind, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { ...key, labels },
      subsets,
    });
  }

  /** Sends so many requests over so many connections; all answers, in the order of the requests. */
  async load(options: LoadOptions): Promise<Sent[]> {
    const { requests, connections, methodOf = () => 'GET' } = options;
    const sent = Array.from({ length: requests }, (_, number) => ({
      id: `r${number}`,
      method: methodOf(number),
      status: 0,
      body: '',
    }));
    let next = 0;
    const take = (): Sent | undefined => sent[next++];
    const clients = Array.from({ length: connections }, () => this.#client(options.revision, take));
    await Promise.all(clients);
    return sent;
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await this.#stopInformers();
  }

  /** One connection until there is nothing left to take. */
  #client(name: string, take: () => Sent | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: this.running.port, noDelay: true });
      let current: Sent | undefined;
      let text = '';
      const next = (): void => {
        current = take();
        if (current === undefined) socket.destroy();
        else socket.write(requestText(name, current));
      };
      socket.setEncoding('latin1');
      socket.on('connect', next);
      socket.on('error', reject);
      socket.on('close', () => {
        if (current === undefined) resolve();
        else reject(new Error(`connection closed under ${current.id}`));
      });
      socket.on('data', (chunk: string) => {
        text += chunk;
        const end = text.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (end < 0 || current === undefined || text.length < end + 4 + length) return;
        current.status = Number(text.slice(9, 12));
        current.body = text.slice(end + 4);
        text = '';
        next();
      });
    });
  }
}

function requestText(name: string, { id, method }: Sent): string {
  const body = method === 'PUT' ? `body of ${id}` : '';
  const lines = [
    `${method} / HTTP/1.1`,
    'Host: hello.example.com',
    'Knative-Serving-Namespace: default',
    `Knative-Serving-Revision: ${name}`,
    `X-Id: ${id}`,
    ...(method === 'GET' ? [] : [`Content-Length: ${body.length}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
