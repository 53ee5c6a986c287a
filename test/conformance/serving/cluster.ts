// One running `pilotlight up` as the rows see it: objects through the API, requests through the
// gateways. Waits are on conditions, told by watches, with a limit that only a defect reaches.

import http from 'node:http';
import { expect } from 'vitest';
import type { Pilotlight } from '../../support/pilotlight.ts';
import { type ApiAnswer, ApiClient } from './api-client.ts';
import { keyOf, Mirror } from './mirror.ts';
import {
  type AnyObject,
  CONFIG_MAP,
  pathOf,
  resourceOf,
  SERVICE,
  SYSTEM_NAMESPACE,
} from './resources.ts';

/** Longer than anything takes on a loaded machine. */
const LIMIT_MS = 60_000;
/** Between two requests that wait for routing to change. */
const ASK_AGAIN_MS = 20;
/** Such a request is given up after this: one sent to a Revision that goes is held (ACT-44). */
const GIVE_UP_MS = 3_000;

export interface Asked {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Ask the cluster-local gateway. */
  isLocal?: boolean;
  timeoutMs?: number;
}

export interface Answered {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

export class Cluster {
  readonly pilotlight: Pilotlight;
  readonly api: ApiClient;
  readonly #mirrors = new Map<string, Mirror>();
  /** Version of each object's last change by a row: what a wait may see at the oldest (KN-150). */
  readonly #written = new Map<string, number>();
  readonly #agent = new http.Agent({ keepAlive: true });

  constructor(pilotlight: Pilotlight) {
    this.pilotlight = pilotlight;
    this.api = new ApiClient(pilotlight.kubeconfig);
  }

  close(): void {
    for (const mirror of this.#mirrors.values()) mirror.close();
    this.api.close();
    this.#agent.destroy();
  }

  // ---- objects -------------------------------------------------------------------------------

  /** POST of an object; whatever the answer is. */
  post(object: AnyObject, query = ''): Promise<ApiAnswer> {
    const { namespace = 'default' } = object.metadata;
    const path = pathOf(resourceOf(object), namespace);
    return this.api.ask('POST', `${path}${query}`, { body: object });
  }

  /** Creates an object; anything but 201 fails the row. */
  async create(object: AnyObject): Promise<AnyObject> {
    return this.#wrote(expectCode(await this.post(object), 201));
  }

  /** The message of a refused create; being let through fails the row. */
  async refusal(object: AnyObject): Promise<string> {
    return messageOf(await this.post(object, '?dryRun=All'));
  }

  async get(resource: string, name: string, namespace = 'default'): Promise<AnyObject> {
    return expectCode(await this.api.ask('GET', pathOf(resource, namespace, name)), 200);
  }

  async list(resource: string, labelSelector = '', namespace = 'default'): Promise<AnyObject[]> {
    const query = `?labelSelector=${encodeURIComponent(labelSelector)}`;
    const answer = await this.api.ask('GET', `${pathOf(resource, namespace)}${query}`);
    return (expectCode(answer, 200) as AnyObject & { items: AnyObject[] }).items;
  }

  /** A merge patch; whatever the answer is. */
  change(resource: string, name: string, body: unknown, namespace = 'default'): Promise<ApiAnswer> {
    const type = 'application/merge-patch+json';
    return this.api.ask('PATCH', pathOf(resource, namespace, name), { body, type });
  }

  /** A merge patch that must succeed. */
  async patch(
    resource: string,
    name: string,
    body: unknown,
    namespace = 'default',
  ): Promise<AnyObject> {
    return this.#wrote(expectCode(await this.change(resource, name, body, namespace), 200));
  }

  async delete(resource: string, name: string, namespace = 'default'): Promise<void> {
    expectCode(await this.api.ask('DELETE', pathOf(resource, namespace, name)), 200);
  }

  /** Runs `body` while a config map of the system namespace says `data`; then as it was. */
  async configured(
    name: string,
    data: Record<string, string>,
    body: () => Promise<void>,
  ): Promise<void> {
    const before = (await this.get(CONFIG_MAP, name, SYSTEM_NAMESPACE)).data ?? {};
    const set = (values: object) =>
      this.patch(CONFIG_MAP, name, { data: values }, SYSTEM_NAMESPACE);
    await set(data);
    try {
      await body();
    } finally {
      await set(Object.fromEntries(Object.keys(data).map((key) => [key, before[key] ?? null])));
    }
  }

  // ---- conditions ----------------------------------------------------------------------------

  /** Waits until `check` does not throw for the object, and gives it back. */
  eventually(
    resource: string,
    name: string,
    check: (object: AnyObject) => void = () => undefined,
    namespace = 'default',
  ): Promise<AnyObject> {
    return this.#mirror(resource).until(`${resource} ${name}`, LIMIT_MS, (objects) => {
      const object = objects.get(keyOf(namespace, name)) ?? objects.get(name);
      if (object === undefined) throw new Error('it does not exist');
      const { resourceVersion, uid } = object.metadata;
      if (Number(resourceVersion) < (this.#written.get(`${uid}`) ?? 0)) throw new Error('not seen');
      check(object);
      return object;
    });
  }

  /** Waits until `check` does not throw for all objects of the resource. */
  eventuallyAll(resource: string, check: (objects: AnyObject[]) => void): Promise<AnyObject[]> {
    return this.#mirror(resource).until(resource, LIMIT_MS, (objects) => {
      const all = [...objects.values()];
      check(all);
      return all;
    });
  }

  async gone(resource: string, name: string, namespace = 'default'): Promise<void> {
    await this.#mirror(resource).until(`${resource} ${name} to go`, LIMIT_MS, (objects) => {
      const object = objects.get(keyOf(namespace, name)) ?? objects.get(name);
      if (object !== undefined) throw new Error(`it is there: ${JSON.stringify(object.metadata)}`);
    });
  }

  /** Waits until the object's newest generation is observed and Ready. */
  ready(resource: string, name: string, namespace = 'default'): Promise<AnyObject> {
    return this.eventually(
      resource,
      name,
      (object) => {
        expect(object.status?.observedGeneration).toBe(object.metadata.generation);
        expect(condition(object, 'Ready')).toMatchObject({ status: 'True' });
      },
      namespace,
    );
  }

  /** Creates a Service and waits until it is Ready. */
  async deploy(service: AnyObject): Promise<AnyObject> {
    const { name, namespace } = (await this.create(service)).metadata;
    return this.ready(SERVICE, name, namespace);
  }

  // ---- requests ------------------------------------------------------------------------------

  /** One request through a gateway. */
  ask(host: string, asked: Asked = {}): Promise<Answered> {
    const { isLocal = false, path = '/', method = 'GET', headers = {}, body } = asked;
    const { timeoutMs = LIMIT_MS } = asked;
    const { gatewayPort, localGatewayPort } = this.pilotlight;
    return new Promise((resolve, reject) => {
      const outgoing = http.request({
        host: '127.0.0.1',
        port: isLocal ? localGatewayPort : gatewayPort,
        path,
        method,
        headers: { ...headers, host },
        agent: this.#agent,
        timeout: timeoutMs,
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${host}`)));
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          const status = incoming.statusCode ?? 0;
          resolve({ status, headers: incoming.headers, body: text });
        });
      });
      outgoing.end(body);
    });
  }

  /** Asks until the answer passes `check`: what routes a gateway has is seen only by asking. */
  async eventuallyAnswers(
    host: string,
    check: (answer: Answered) => void,
    asked: Asked = {},
  ): Promise<Answered> {
    const deadlineMs = performance.now() + LIMIT_MS;
    for (;;) {
      try {
        const answer = await this.ask(host, { timeoutMs: GIVE_UP_MS, ...asked });
        check(answer);
        return answer;
      } catch (error) {
        if (performance.now() > deadlineMs) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  #wrote(object: AnyObject): AnyObject {
    const { uid, resourceVersion } = object.metadata;
    this.#written.set(`${uid}`, Number(resourceVersion));
    return object;
  }

  #mirror(resource: string): Mirror {
    const known = this.#mirrors.get(resource) ?? new Mirror(this.api, resource);
    this.#mirrors.set(resource, known);
    return known;
  }
}

export function expectCode(answer: ApiAnswer, code: number): AnyObject {
  if (answer.code !== code) throw new Error(`${answer.code}: ${JSON.stringify(answer.body)}`);
  return answer.body as AnyObject;
}

/** The message of a refusal; being let through fails the row. */
export function messageOf(answer: ApiAnswer): string {
  expect(answer.code).toBeGreaterThanOrEqual(400);
  return (answer.body as { message: string }).message;
}

/** A condition, `{}` while there is none. */
export function condition(
  object: AnyObject,
  type: string,
): { status?: string; reason?: string; message?: string; severity?: string } {
  return object.status?.conditions?.find((each) => each.type === type) ?? {};
}

/** The value at a path of names and indices: `spec.traffic.0.percent`. */
export function at(object: unknown, path: string): unknown {
  let value = object;
  for (const name of path.split('.'))
    value = (value as Record<string, unknown> | undefined)?.[name];
  return value;
}
