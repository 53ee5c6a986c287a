// What the rows of the runtime contract run and how they ask it: Services around app.js, its report of
// what it was given, and raw connections where the bytes matter. Helpers only; no row is here.

import http from 'node:http';
import { join } from 'node:path';
import { expect } from 'vitest';
import { RawClient } from '../../../../src/queueproxy/testing/raw-client.ts';
import { ROOT } from '../../../support/pilotlight.ts';
import { type Asked, at, type Cluster } from '../cluster.ts';
import { service, type Template } from '../objects.ts';
import { type AnyObject, POD, SERVERLESS_SERVICE } from '../resources.ts';

export const APP = [
  process.execPath,
  join(ROOT, 'test', 'conformance', 'serving', 'runtime', 'app.js'),
];
export const IMAGE = 'conformance/app';
export const scaling = (key: string): string => `autoscaling.knative.dev/${key}`;
export const ALWAYS_ONE = { [scaling('min-scale')]: '1', [scaling('max-scale')]: '1' };
/** The activator is in the path only to wake. */
export const DIRECT = { ...ALWAYS_ONE, [scaling('target-burst-capacity')]: '0' };
/** The activator is in the path always. */
export const THROUGH_ACTIVATOR = { ...ALWAYS_ONE, [scaling('target-burst-capacity')]: '-1' };

/** What app.js says it was given. */
export interface Report {
  env: Record<string, string>;
  argv: string[];
  cwd: string;
  pid: number;
  uid: number;
  method: string;
  url: string;
  httpVersion: string;
  rawHeaders: string[];
  trailers: string[];
  peer: string;
  body: string;
  bodyBytes: number;
}

/** A Service of one pod that runs app.js, with the containers `beside` it. */
export function app(
  name: string,
  { beside = [], ...options }: Template & { beside?: object[] } = {},
): AnyObject {
  const object = service(name, {
    image: IMAGE,
    command: APP,
    isAwake: true,
    ...options,
    annotations: { ...ALWAYS_ONE, ...options.annotations },
  });
  (at(object, 'spec.template.spec.containers') as object[]).push(...beside);
  return object;
}

export const hostOf = (name: string): string => `${name}.default.localhost`;

/** Deploys and waits until the first request is served. */
export async function deployed(cluster: Cluster, object: AnyObject): Promise<string> {
  await cluster.deploy(object);
  return hostOf(object.metadata.name);
}

/** Deploys and waits until requests reach the pod without the activator. */
export async function deployedDirect(cluster: Cluster, object: AnyObject): Promise<string> {
  const host = await deployed(cluster, object);
  await cluster.eventually(SERVERLESS_SERVICE, `${object.metadata.name}-00001`, ({ spec }) => {
    expect(spec?.['mode']).toBe('Serve');
  });
  await cluster.eventuallyAnswers(
    host,
    ({ body }) => {
      if (headersOf(JSON.parse(body) as Report).has('k-proxy-request')) throw new Error('proxied');
    },
    { path: '/report' },
  );
  return host;
}

export async function report(cluster: Cluster, host: string, asked: Asked = {}): Promise<Report> {
  const answer = await cluster.ask(host, { path: '/report', ...asked });
  return JSON.parse(answer.body) as Report;
}

/** Lower-case name -> values in order. */
export function headersOf({ rawHeaders }: Pick<Report, 'rawHeaders'>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    found.set(name, [...(found.get(name) ?? []), rawHeaders[index + 1]!]);
  }
  return found;
}

/** Opens a connection to the gateway and writes a head, lines of `headers` as they are. */
export async function rawRequest(
  cluster: Cluster,
  host: string,
  requestLine: string,
  ...headers: string[]
): Promise<RawClient> {
  const client = await RawClient.connect(cluster.pilotlight.gatewayPort);
  client.socket.write([requestLine, `Host: ${host}`, ...headers, '', ''].join('\r\n'));
  return client;
}

/** A request to `/hold` that stays inside until `finish`. */
export class Held {
  readonly #outgoing: http.ClientRequest;
  readonly answer: Promise<{ status: number; body: string }>;
  isAnswered = false;

  constructor(cluster: Cluster, host: string) {
    this.#outgoing = http.request({
      host: '127.0.0.1',
      port: cluster.pilotlight.gatewayPort,
      method: 'POST',
      path: '/hold',
      headers: { host },
      agent: false,
    });
    this.answer = new Promise((resolve, reject) => {
      this.#outgoing.on('error', reject);
      this.#outgoing.on('response', (incoming) => {
        this.isAnswered = true;
        let body = '';
        incoming.on('data', (chunk) => {
          body += chunk;
        });
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }));
        incoming.on('error', reject);
      });
    });
    this.#outgoing.flushHeaders();
    // Somebody may look at it only later.
    this.answer.catch(() => undefined);
  }

  finish(): void {
    this.#outgoing.end();
  }

  abandon(): void {
    this.#outgoing.destroy();
  }
}

/** Pods of that Service which are not on their way out. */
export async function podsOf(cluster: Cluster, name: string): Promise<AnyObject[]> {
  const pods = await cluster.list(POD, `serving.knative.dev/service=${name}`);
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Waits until `check` holds for the pods of that Service that are not on their way out. */
export async function eventuallyPods(
  cluster: Cluster,
  name: string,
  check: (pods: AnyObject[]) => void,
): Promise<AnyObject[]> {
  let found: AnyObject[] = [];
  await cluster.eventuallyAll(POD, (all) => {
    found = all.filter(
      ({ metadata }) =>
        metadata.labels?.['serving.knative.dev/service'] === name &&
        metadata.deletionTimestamp === undefined,
    );
    check(found);
  });
  return found;
}

/** Waits until that Service has no pod but those on their way out. */
export async function noPods(cluster: Cluster, name: string): Promise<void> {
  await expect.poll(() => podsOf(cluster, name), { timeout: 60_000, interval: 100 }).toEqual([]);
}

export interface ContainerStatus {
  name: string;
  restartCount: number;
  state: Record<string, unknown>;
  lastState: { terminated?: { message: string } };
}

/** Of `user-container`, unless named. */
export function containerOf(
  pod: AnyObject | undefined,
  name = 'user-container',
): ContainerStatus | undefined {
  const statuses = at(pod, 'status.containerStatuses') as ContainerStatus[] | undefined;
  return statuses?.find((each) => each.name === name);
}

/** The log of a container, through the API. */
export async function logOf(
  cluster: Cluster,
  pod: string,
  query = '',
  container = 'user-container',
): Promise<string> {
  const path = `/api/v1/namespaces/default/pods/${pod}/log?container=${container}${query}`;
  const answer = await cluster.api.ask('GET', path, { accept: '*/*' });
  return String(answer.body);
}
