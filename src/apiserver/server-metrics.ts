// What this server counts of itself, as `GET /metrics` shows it (Prometheus text): requests by what
// they asked for, under the names of kube-apiserver; objects in the store; and who watches what.
// Warm: one Map look-up per request.

import type { Kind } from '../api/kinds.ts';
import { resourceName } from '../api/kinds.ts';
import type { ObjectStore } from './store/object-store.ts';

/** Series of one metric; what would be one more is counted under `verb="OTHER"`. */
export const MAX_REQUEST_SERIES = 5_000;
/** Different watching programs by name; the rest is counted as `_OTHER`. */
export const MAX_WATCH_CLIENTS = 64;

const OTHERS = 'verb="OTHER"';
const OTHER_CLIENT = '_OTHER';
const PLAIN_NAME = /^[a-z]{0,32}$/;

/** `''` is everything that is neither a watch nor an apply. */
type Form = '' | 'WATCH' | 'APPLY';

export interface CountedRequest {
  readonly method: string;
  readonly kind: Kind;
  readonly name: string;
  readonly subresource: string;
  readonly form: Form;
  /** Status code of the answer. */
  readonly code: number;
}

export class ServerMetrics {
  readonly #store: ObjectStore;
  readonly #requests = new Map<string, number>();
  /** Program, then resource; both without entries that are zero. */
  readonly #watches = new Map<string, Map<string, number>>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  count(request: CountedRequest): void {
    let series = labelsOf(request);
    if (!this.#requests.has(series) && this.#requests.size >= MAX_REQUEST_SERIES) series = OTHERS;
    this.#requests.set(series, (this.#requests.get(series) ?? 0) + 1);
  }

  /** Returns what has to be called once when the watch ends. */
  watchOpened(kind: Kind, userAgent: string | undefined): () => void {
    const client = this.#clientOf(userAgent);
    let resources = this.#watches.get(client);
    if (resources === undefined) {
      resources = new Map();
      this.#watches.set(client, resources);
    }
    const resource = resourceName(kind);
    const counts = resources;
    counts.set(resource, (counts.get(resource) ?? 0) + 1);
    return () => {
      const left = (counts.get(resource) ?? 1) - 1;
      if (left > 0) counts.set(resource, left);
      else counts.delete(resource);
      if (counts.size === 0 && this.#watches.get(client) === counts) this.#watches.delete(client);
    };
  }

  /** The page, in Prometheus text format 0.0.4. */
  text(): string {
    const requests = [...this.#requests].map(([labels, value]) => `{${labels}} ${value}`);
    const objects = [...this.#store.kinds()].map(
      ({ kind, size }) => `{resource="${resourceName(kind)}"} ${size}`,
    );
    const watches = [...this.#watches].flatMap(([client, resources]) =>
      [...resources].map(
        ([resource, value]) => `{client="${client}",resource="${resource}"} ${value}`,
      ),
    );
    return (
      family('apiserver_request_total', 'counter', 'Answered requests on resources.', requests) +
      family('pilotlight_apiserver_revision', 'gauge', 'Number of the last write.', [
        ` ${this.#store.revision}`,
      ]) +
      family('apiserver_storage_objects', 'gauge', 'Objects in the store.', objects) +
      family('pilotlight_apiserver_watches', 'gauge', 'Open watches by program.', watches)
    );
  }

  /** The name in front of the version; only of characters that need no escape. */
  #clientOf(userAgent = ''): string {
    const name = /^[\w.-]{1,64}/.exec(userAgent)?.[0] ?? '';
    if (this.#watches.has(name) || this.#watches.size < MAX_WATCH_CLIENTS) return name;
    return OTHER_CLIENT;
  }
}

function family(name: string, type: string, help: string, lines: readonly string[]): string {
  const head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  return head + lines.map((line) => `${name}${line}\n`).join('');
}

function labelsOf({ method, kind, name, subresource, form, code }: CountedRequest): string {
  const verb = verbOf(method, name, form);
  const { group, version, plural } = kind;
  // A client may have sent anything as a subresource.
  const part = PLAIN_NAME.test(subresource) ? subresource : 'OTHER';
  return (
    `verb="${verb}",group="${group}",version="${version}",resource="${plural}",` +
    `subresource="${part}",code="${code}"`
  );
}

function verbOf(method: string, name: string, form: Form): string {
  if (form !== '') return form;
  if (name !== '') return method;
  if (method === 'GET' || method === 'HEAD') return 'LIST';
  return method === 'DELETE' ? 'DELETECOLLECTION' : method;
}
