// GET …/pods/<name>/log (KN-231): checks the request against the Pod, then streams what the
// injected source gives.

import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type * as core from '../api/core.ts';
import { Pod } from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import { PodLogError, type PodLogOptions, type PodLogSource } from './pod-logs.ts';
import { badRequest, notFound, StatusError } from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { storeKey } from './store/stored.ts';

export interface PodLogDependencies {
  store: ObjectStore;
  source: PodLogSource;
  clock: Clock;
}

export async function servePodLog(
  deps: PodLogDependencies,
  request: { namespace: string; name: string; query: URLSearchParams },
  response: ServerResponse,
): Promise<void> {
  const { namespace, name, query } = request;
  const found = deps.store.of(Pod).get(storeKey(namespace, name));
  if (found === undefined) throw notFound(Pod, name);
  const container = chooseContainer(found.object as core.Pod, query.get('container') ?? '');
  const options = parseOptions(query, deps.clock.nowMs());
  const stream = await open(deps.source, namespace, name, container, options);
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.flushHeaders();
  relay(stream, response, whole(query, 'limitBytes') ?? Number.POSITIVE_INFINITY);
}

async function open(
  source: PodLogSource,
  namespace: string,
  name: string,
  container: string,
  options: PodLogOptions,
): Promise<Readable> {
  try {
    return await source.open(namespace, name, container, options);
  } catch (error) {
    if (!(error instanceof PodLogError)) throw error;
    throw new StatusError(
      error.code,
      error.code === 404 ? 'NotFound' : 'BadRequest',
      error.message,
    );
  }
}

/** The container a request on a Pod means; throws 400 when that is not clear. */
export function chooseContainer(pod: core.Pod, asked: string): string {
  const { name } = pod.metadata;
  const names = (pod.spec?.containers ?? []).map((container) => container.name);
  const init = (pod.spec?.initContainers ?? []).map((container) => container.name);
  if (asked !== '') {
    if (names.includes(asked) || init.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = names;
  if (names.length === 1 && only !== undefined) return only;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`,
  );
}

function whole(query: URLSearchParams, name: string): number | null {
  const text = query.get(name) ?? '';
  if (text === '') return null;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw badRequest(`${name} must be a whole number`);
}

function parseOptions(query: URLSearchParams, nowMs: number): PodLogOptions {
  const isOn = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const seconds = whole(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime') ?? '';
  const atMs = sinceTime === '' ? null : Date.parse(sinceTime);
  if (atMs !== null && Number.isNaN(atMs)) throw badRequest('sinceTime must be an RFC 3339 time');
  return {
    follow: isOn('follow'),
    previous: isOn('previous'),
    timestamps: isOn('timestamps'),
    tailLines: whole(query, 'tailLines'),
    sinceTimeMs: seconds === null ? atMs : nowMs - seconds * 1000,
  };
}

function relay(stream: Readable, response: ServerResponse, limitBytes: number): void {
  let left = limitBytes;
  stream.on('data', (chunk: Buffer | string) => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const part = bytes.length > left ? bytes.subarray(0, left) : bytes;
    left -= part.length;
    if (!response.write(part)) stream.pause();
    if (left > 0) return;
    stream.destroy();
    response.end();
  });
  response.on('drain', () => stream.resume());
  response.on('close', () => stream.destroy());
  stream.on('end', () => response.end());
  stream.on('error', () => response.destroy()); // the client sees a cut stream, never a clean end
}
