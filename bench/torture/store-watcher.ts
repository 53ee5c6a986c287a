// A watcher of the store scenario: a copy of the state kept by list and watch. It resumes where it
// stopped, after a kill as after a cut of its own; told 410 it lists again. Anything it missed shows
// when its copy is compared with the server's state.

import { StringDecoder } from 'node:string_decoder';
import { ConfigMap, resourcePath } from '../../src/api/kinds.ts';
import { isGone, type KubeClient, type WatchEvent } from '../../src/kube/types.ts';
import { LABEL, type Marked, NAMESPACE } from './store-lanes.ts';

export interface WatcherCounts {
  /** Watches opened at a version seen before. */
  resumed: number;
  /** Answered or told 410. */
  expired: number;
  events: number;
  /** Events at a version not above the one before. */
  versionsBack: number;
}

const PATH = `${resourcePath(ConfigMap, NAMESPACE)}?labelSelector=${LABEL}`;

export class StoreWatcher {
  readonly #counts: WatcherCounts;
  readonly #random: () => number;
  readonly state = new Map<string, number>();
  #version: number | null = null;

  constructor(counts: WatcherCounts, random: () => number) {
    this.#counts = counts;
    this.#random = random;
  }

  get version(): number {
    return this.#version ?? 0;
  }

  /** Follows until the server is gone. */
  async follow(client: KubeClient): Promise<void> {
    try {
      for (;;) {
        if (this.#version === null) await this.#list(client);
        else this.#counts.resumed += 1;
        await this.#watch(client);
      }
    } catch {
      // Killed; the next round resumes.
    }
  }

  async #list(client: KubeClient): Promise<void> {
    const list = await client.list<Marked>(ConfigMap, {
      namespace: NAMESPACE,
      labelSelector: LABEL,
    });
    this.state.clear();
    for (const item of list.items) this.state.set(item.metadata.name, sequenceOf(item));
    this.#version = Number(list.metadata?.resourceVersion);
  }

  async #watch(client: KubeClient): Promise<void> {
    const cut = new AbortController();
    const path = `${PATH}&watch=1&resourceVersion=${this.#version}`;
    const answer = await client.request('GET', path, { signal: cut.signal }).catch(goneIsNull);
    if (answer === null) {
      this.#expire();
      return;
    }
    // Sooner or later it cuts its connection itself, in the middle of events.
    let left = 5 + Math.floor(this.#random() * 400);
    for await (const line of linesOf(answer.body)) {
      this.#apply(JSON.parse(line) as WatchEvent<Marked>);
      left -= 1;
      if (left === 0 || this.#version === null) break;
    }
    const wasKilled = left > 0 && this.#version !== null;
    cut.abort();
    if (wasKilled) throw new Error('the server is gone');
  }

  #apply({ type, object }: WatchEvent<Marked>): void {
    if (type === 'ERROR') {
      this.#expire();
      return;
    }
    this.#counts.events += 1;
    const version = Number(object.metadata.resourceVersion);
    if (version <= this.version) this.#counts.versionsBack += 1;
    this.#version = version;
    if (type === 'DELETED') this.state.delete(object.metadata.name);
    else this.state.set(object.metadata.name, sequenceOf(object));
  }

  #expire(): void {
    this.#counts.expired += 1;
    this.#version = null;
  }
}

/** Ends where the stream does, however it does. */
async function* linesOf(body: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for await (const chunk of body) {
      rest += typeof chunk === 'string' ? chunk : decoder.write(chunk);
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        yield rest.slice(0, end);
        rest = rest.slice(end + 1);
      }
    }
  } catch {
    // Cut in the middle of a line: that event was not delivered.
  }
}

function goneIsNull(error: unknown): null {
  if (isGone(error)) return null;
  throw error;
}

export function sequenceOf(object: Marked): number {
  return Number(object.data?.['sequence']);
}
