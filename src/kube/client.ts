// The KubeClient that speaks to a real API server: every verb as one plain-JSON request over one
// keep-alive agent. Patches always name their content type, because servers default differently.
// Watches and log streams go through `request`, which hands out the body as it arrives.

import { apiVersionOf, type Kind, resourcePath } from '../api/kinds.ts';
import type { KubeList, KubeObject } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { KubeConnection } from './connection.ts';
import { type Exchange, Transport } from './transport.ts';
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectName,
  Patch,
  RawRequestOptions,
  RawResponse,
} from './types.ts';
import { ApiError } from './types.ts';

/** KN-212: answers 429 and 503 that name a `Retry-After` are asked again this often at most. */
export const MAX_THROTTLED_RETRIES = 10;
const MAX_RETRY_AFTER_SECONDS = 10;

export interface KubeClientOptions extends KubeConnection {
  clock: Clock;
  logger: Logger;
  userAgent: string;
}

/** Opens nothing yet: the first request connects. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  return new HttpKubeClient(options);
}

const PATCH_CONTENT_TYPES: Readonly<Record<Patch['type'], string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

class HttpKubeClient implements KubeClient {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(options: KubeClientOptions) {
    this.#transport = new Transport(options, options);
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  get<T extends KubeObject>(kind: Kind, key: ObjectName): Promise<T> {
    return this.#json<T>({ method: 'GET', path: resourcePath(kind, key.namespace, key.name) });
  }

  async list<T extends KubeObject>(kind: Kind, options: ListOptions = {}): Promise<KubeList<T>> {
    const path = resourcePath(kind, options.namespace) + listQuery(options);
    const list = await this.#json<KubeList<T>>({ method: 'GET', path });
    return fillItemTypes(kind, list);
  }

  create<T extends KubeObject>(kind: Kind, object: T): Promise<T> {
    const path = resourcePath(kind, object.metadata.namespace);
    return this.#json<T>({ method: 'POST', path, body: JSON.stringify(object) });
  }

  update<T extends KubeObject>(kind: Kind, object: T): Promise<T> {
    return this.#put(kind, object, undefined);
  }

  updateStatus<T extends KubeObject>(kind: Kind, object: T): Promise<T> {
    return this.#put(kind, object, 'status');
  }

  patch<T extends KubeObject>(
    kind: Kind,
    key: ObjectName,
    patch: Patch,
    options: {
      subresource?: 'status' | 'scale';
      dryRun?: boolean;
      fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
    } = {},
  ): Promise<T> {
    const query = new URLSearchParams();
    if (options.dryRun === true) query.set('dryRun', 'All');
    if (options.fieldValidation !== undefined) {
      query.set('fieldValidation', options.fieldValidation);
    }
    if (patch.type === 'apply') {
      query.set('fieldManager', patch.fieldManager);
      if (patch.force !== undefined) query.set('force', String(patch.force));
    }
    return this.#json<T>({
      method: 'PATCH',
      path: withQuery(resourcePath(kind, key.namespace, key.name, options.subresource), query),
      body: JSON.stringify(patch.body),
      contentType: PATCH_CONTENT_TYPES[patch.type],
    });
  }

  async delete(kind: Kind, key: ObjectName, options: DeleteOptions = {}): Promise<void> {
    const { uid, ...rest } = options;
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', ...rest, ...preconditions };
    await this.#json<unknown>({
      method: 'DELETE',
      path: resourcePath(kind, key.namespace, key.name),
      body: JSON.stringify(body),
    });
  }

  async request(
    method: string,
    path: string,
    options: RawRequestOptions = {},
  ): Promise<RawResponse> {
    return this.#transport.open({
      method,
      path,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      contentType: options.contentType,
      accept: options.accept,
      signal: options.signal,
    });
  }

  close(): void {
    this.#transport.close();
  }

  #put<T extends KubeObject>(kind: Kind, object: T, subresource: string | undefined): Promise<T> {
    const { namespace, name } = object.metadata;
    return this.#json<T>({
      method: 'PUT',
      path: resourcePath(kind, namespace, name, subresource),
      body: JSON.stringify(object),
    });
  }

  async #json<T>(exchange: Exchange): Promise<T> {
    for (let retries = 0; ; retries += 1) {
      try {
        return JSON.parse(await this.#transport.text(exchange)) as T;
      } catch (error) {
        const seconds = retryAfterSeconds(error);
        if (seconds === null || retries >= MAX_THROTTLED_RETRIES) throw error;
        this.#logger.debug({ path: exchange.path, seconds }, 'API server asks to retry later');
        await this.#clock.sleep(seconds * 1000);
      }
    }
  }
}

/** Whole query of a list or watch, from `?` on; empty when there is nothing to say. */
export function listQuery(options: ListOptions, more: Record<string, string> = {}): string {
  const query = new URLSearchParams(more);
  if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector);
  if (options.limit !== undefined) query.set('limit', String(options.limit));
  if (options.continue !== undefined) query.set('continue', options.continue);
  return withQuery('', query);
}

function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/**
 * Lists of built-in kinds leave apiVersion and kind out of their items; objects of ours have them.
 */
function fillItemTypes<T extends KubeObject>(kind: Kind, list: KubeList<T>): KubeList<T> {
  const apiVersion = apiVersionOf(kind);
  list.items ??= [];
  for (const item of list.items) {
    item.apiVersion ??= apiVersion;
    item.kind ??= kind.kind;
  }
  return list;
}

function retryAfterSeconds(error: unknown): number | null {
  if (!(error instanceof ApiError) || (error.code !== 429 && error.code !== 503)) return null;
  const seconds = error.status.details?.retryAfterSeconds;
  return seconds === undefined || seconds <= 0 ? null : Math.min(seconds, MAX_RETRY_AFTER_SECONDS);
}
