// services/<name>:<port>/proxy/<path>: an HTTP request to a Service's first ready endpoint, relayed
// with the API's credentials taken off. `pilotlight why` and `top` read the autoscaler this way.

import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type * as core from '../api/core.ts';
import { CoreService, Endpoints } from '../api/kinds.ts';
import type { ApiExchange } from './http-server.ts';
import type { ResourcePath } from './resource-path.ts';
import { notFound, StatusError } from './status-error.ts';
import type { ObjectStore } from './store/object-store.ts';
import { storeKey } from './store/stored.ts';

/** Finds where a Service's port is; null = nowhere. `port` is a name, a number, or ''. */
export type ResolveServicePort = (
  namespace: string,
  service: string,
  port: string,
) => { host: string; port: number } | null;

/** An upstream that is silent for longer is given up. */
const UPSTREAM_IDLE_MS = 30_000;
/** Not relayed: they belong to the connection, or are the API's own. */
const DROPPED_HEADERS = new Set([
  'authorization',
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
]);

export interface ServiceProxy {
  serve(exchange: ApiExchange, target: ResourcePath): Promise<void>;
}

export function createServiceProxy(resolve: ResolveServicePort): ServiceProxy {
  return {
    async serve(exchange, target) {
      const [scheme, service, port] = parseServiceName(target.name);
      const address = scheme === 'https' ? null : resolve(target.namespace, service, port);
      if (address === null) {
        throw unavailable(`no endpoints available for service ${JSON.stringify(target.name)}`);
      }
      await relay(exchange, address, target.rest === '' ? '/' : target.rest);
    },
  };
}

/** Reads the Endpoints in the store; throws 404 when the Service does not exist. */
export function resolveFromStore(store: ObjectStore): ResolveServicePort {
  return (namespace, name, port) => {
    const key = storeKey(namespace, name);
    if (store.of(CoreService).get(key) === undefined) throw notFound(CoreService, name);
    const endpoints = store.of(Endpoints).get(key)?.object as core.Endpoints | undefined;
    const service = store.of(CoreService).get(key)?.object as core.CoreService | undefined;
    const named = service?.spec?.ports?.find((entry) => String(entry.port) === port)?.name;
    for (const { addresses = [], ports = [] } of endpoints?.subsets ?? []) {
      const [address] = addresses;
      const found = ports.find(
        (entry) =>
          port === '' ||
          entry.name === port ||
          String(entry.port) === port ||
          (named !== undefined && entry.name === named),
      );
      const chosen = found ?? (ports.length === 1 && named === undefined ? ports[0] : undefined);
      if (address !== undefined && chosen !== undefined) {
        return { host: address.ip, port: chosen.port };
      }
    }
    return null;
  };
}

/** `[scheme:]name[:port]`. */
function parseServiceName(text: string): [scheme: string, name: string, port: string] {
  const parts = text.split(':');
  if (parts.length === 3) return [parts[0] ?? '', parts[1] ?? '', parts[2] ?? ''];
  return ['', parts[0] ?? '', parts[1] ?? ''];
}

const unavailable = (message: string): StatusError =>
  new StatusError(503, 'ServiceUnavailable', message);

function passed(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !DROPPED_HEADERS.has(name)) kept[name] = value;
  }
  return kept;
}

function relay(
  exchange: ApiExchange,
  address: { host: string; port: number },
  path: string,
): Promise<void> {
  const { method, query, body, request, response } = exchange;
  const search = query.toString();
  return new Promise((resolve, reject) => {
    const upstream = httpRequest(
      {
        ...address,
        method,
        path: search === '' ? path : `${path}?${search}`,
        headers: { ...passed(request.headers), 'content-length': body.length },
        timeout: UPSTREAM_IDLE_MS,
        agent: false,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, passed(answer.headers));
        answer.pipe(response);
        answer.on('error', () => response.destroy()); // cut, so that it does not look complete
        resolve();
      },
    );
    upstream.on('timeout', () => upstream.destroy(new Error('the service did not answer in time')));
    upstream.on('error', (error) => {
      reject(unavailable(`error trying to reach service: ${error.message}`));
    });
    response.on('close', () => upstream.destroy());
    upstream.end(body);
  });
}
