// The words the script is written in. A step is one request, sent to both servers in turn; `$name` in
// its path and body stands for what an earlier step saved of that server's own answer.

export interface Step {
  /** Unique: the table of differences refers to it. */
  readonly title: string;
  readonly method: string;
  readonly path: string;
  /** Objects are sent as JSON, text as it is. */
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  /** Variable -> dotted path in the answer, e.g. `metadata.resourceVersion`. */
  readonly save?: Readonly<Record<string, string>>;
  /** Asked again until this code comes: for what controllers do behind. */
  readonly until?: number;
  /** Dotted path; asked again until it is there, for the same. */
  readonly untilField?: string;
  /** Events to read of a watch, and what is done once it is open. */
  readonly watch?: { readonly events: number; readonly during: readonly Step[] };
}

type Extra = Partial<Omit<Step, 'title' | 'method' | 'path' | 'body'>>;

const step =
  (method: string) =>
  (title: string, path: string, body?: unknown, extra: Extra = {}): Step => ({
    title,
    method,
    path,
    ...(body === undefined ? {} : { body }),
    ...extra,
  });

export const post = step('POST');
export const put = step('PUT');
export const remove = step('DELETE');
export const get = (title: string, path: string, extra: Extra = {}): Step =>
  step('GET')(title, path, undefined, extra);

const patch =
  (type: string) =>
  (title: string, path: string, body: unknown, extra: Extra = {}): Step =>
    step('PATCH')(title, path, body, { type: `application/${type}`, ...extra });

export const merge = patch('merge-patch+json');
export const json = patch('json-patch+json');
export const strategic = patch('strategic-merge-patch+json');

/** Server-side apply; `path` carries no query. */
export function apply(title: string, path: string, manager: string, body: unknown): Step {
  const join = path.includes('?') ? '&' : '?';
  return patch('apply-patch+yaml')(title, `${path}${join}fieldManager=${manager}`, body);
}

export function watch(
  title: string,
  path: string,
  events: number,
  during: readonly Step[] = [],
  extra: Extra = {},
): Step {
  const join = path.includes('?') ? '&' : '?';
  const query = `${join}watch=true&timeoutSeconds=10`;
  return get(title, `${path}${query}`, { ...extra, watch: { events, during } });
}

export const saveVersion = (name: string): Extra => ({
  save: { [name]: 'metadata.resourceVersion' },
});

export const CORE = '/api/v1/namespaces/$ns';
export const MAPS = `${CORE}/configmaps`;
export const PODS = `${CORE}/pods`;
export const DEPLOYMENTS = '/apis/apps/v1/namespaces/$ns/deployments';
export const SERVING = '/apis/serving.knative.dev/v1/namespaces/$ns';
export const KSERVICES = `${SERVING}/services`;

type Fields = Record<string, unknown>;

export const configMap = (name: string, fields: Fields = {}, metadata: Fields = {}): Fields => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  ...fields,
});

export const pod = (name: string, spec: Fields = {}, metadata: Fields = {}): Fields => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'main', image: 'app:1' }], ...spec },
});

export const deployment = (name: string, spec: Fields = {}): Fields => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'app:1' }] },
    },
    ...spec,
  },
});

export const kservice = (name: string, fields: Fields = {}, metadata: Fields = {}): Fields => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec: { template: { spec: { containers: [{ image: 'app:1' }] } } },
  ...fields,
});
