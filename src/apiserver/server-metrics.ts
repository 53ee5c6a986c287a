// What this server counts of itself, as `GET /metrics` shows it (Prometheus text): requests by what
// they asked for, under the names of kube-apiserver; objects in the store; and who watches what.
// Warm: one Map look-up per request.

import type { Kind } from '../api/kinds.ts';
import { resourceName } from '../api/kinds.ts';
import { API_SERVER, API_SERVER_METRICS } from '../telemetry/api-server-metric-definitions.ts';
import { addMetrics, type MetricDefinition } from '../telemetry/metric-definitions.ts';
import type { Labels, Series } from '../telemetry/metric-series.ts';
import { renderPrometheus } from '../telemetry/prometheus-text.ts';
import type { ObjectStore } from './store/object-store.ts';

/** Series of one metric; what would be one more is counted under the verb `OTHER`. */
export const MAX_REQUEST_SERIES = 5_000;
/** Different watching programs by name; the rest is counted as `_OTHER`. */
export const MAX_WATCH_CLIENTS = 64;

const OTHERS = 'OTHER';
/** Between the label values of a key; none of them has it. */
const SEPARATOR = ' ';
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
    addMetrics(API_SERVER_METRICS);
    this.#store = store;
  }

  count(request: CountedRequest): void {
    let key = keyOf(request);
    if (!this.#requests.has(key) && this.#requests.size >= MAX_REQUEST_SERIES) key = OTHERS;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
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

  /** The page, in Prometheus text. */
  text(): string {
    const requests = [...this.#requests].map(([key, count]) =>
      series(API_SERVER.REQUESTS, key.split(SEPARATOR), count),
    );
    const objects = [...this.#store.kinds()].map(({ kind, size }) =>
      series(API_SERVER.OBJECTS, [resourceName(kind)], size),
    );
    const watches = [...this.#watches].flatMap(([client, resources]) =>
      [...resources].map(([name, count]) => series(API_SERVER.WATCHES, [client, name], count)),
    );
    const revision = series(API_SERVER.REVISION, [], this.#store.revision);
    return renderPrometheus([...requests, revision, ...objects, ...watches]);
  }

  /** The name in front of the version; only of characters that need no escape. */
  #clientOf(userAgent = ''): string {
    const name = /^[\w.-]{1,64}/.exec(userAgent)?.[0] ?? '';
    if (this.#watches.has(name) || this.#watches.size < MAX_WATCH_CLIENTS) return name;
    return OTHER_CLIENT;
  }
}

/** A metric has as many values as labels, or fewer: then it has no more labels. */
function series(metric: MetricDefinition, values: readonly string[], value: number): Series {
  const labels: Labels = values.map((text, index) => [metric.labels[index] ?? '', text] as const);
  return { metric: metric.name, labels, values: Float64Array.of(value) };
}

function keyOf({ method, kind, name, subresource, form, code }: CountedRequest): string {
  const { group, version, plural } = kind;
  // A client may have sent anything as a subresource.
  const part = PLAIN_NAME.test(subresource) ? subresource : 'OTHER';
  return [verbOf(method, name, form), group, version, plural, part, code].join(SEPARATOR);
}

function verbOf(method: string, name: string, form: Form): string {
  if (form !== '') return form;
  if (name !== '') return method;
  if (method === 'GET' || method === 'HEAD') return 'LIST';
  return method === 'DELETE' ? 'DELETECOLLECTION' : method;
}
