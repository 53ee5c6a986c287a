// Which part of the server answers a path: version and health, discovery, OpenAPI, reviews,
// watches, logs, services/proxy, and for everything else the generic resource handler.

import type { Discovery } from './discovery.ts';
import type { Guard } from './guard.ts';
import type { ApiExchange, ApiHandler } from './http-server.ts';
import type { KindRegistry } from './kind-registry.ts';
import { chooseFormat } from './negotiation.ts';
import type { OpenApi } from './openapi.ts';
import { type PodLogDependencies, servePodLog } from './pod-log-handler.ts';
import { decodeOptionalBody } from './request-body.ts';
import type { ResourceHandler } from './resource-handler.ts';
import { parseResourcePath, type ResourcePath } from './resource-path.ts';
import { type Reply, renderText, renderValue, unknownPath } from './respond.ts';
import { answerReview, findReview } from './reviews.ts';
import type { ServerMetrics } from './server-metrics.ts';
import type { ServiceProxy } from './service-proxy.ts';
import { badRequest, methodNotAllowed, StatusError } from './status-error.ts';
import { serverVersion } from './version.ts';
import type { WatchHub } from './watch-hub.ts';

export interface RouterDependencies {
  registry: KindRegistry;
  discovery: Discovery;
  openApi: OpenApi;
  guard: Guard;
  resources: ResourceHandler;
  watches: WatchHub;
  podLogs: PodLogDependencies;
  serviceProxy: ServiceProxy;
  metrics: ServerMetrics;
  userName: string;
}

const HEALTH_PATH = /^\/(?:healthz|livez|readyz)(?:\/.*)?$/;
/** Streams over upgraded connections; `streams/upgrade.ts` serves them. */
const STREAM_SUBRESOURCES = new Set(['exec', 'attach', 'portforward']);

export function createRouter(deps: RouterDependencies): ApiHandler {
  return (exchange) => {
    const { path, method } = exchange;
    if (method === 'GET' || method === 'HEAD') {
      const fixed = answerFixed(deps, exchange);
      if (fixed !== undefined) return fixed;
    }
    const review = findReview(path);
    if (review !== undefined) return answerReviewRequest(deps, exchange, review);
    const target = parseResourcePath(deps.registry, path);
    return target === null ? unknownPath() : answerCounted(deps, exchange, target);
  };
}

/** Documents that depend on nothing but the path and the headers. */
function answerFixed(deps: RouterDependencies, exchange: ApiExchange): Reply | undefined {
  const { path, request } = exchange;
  if (path === '/version' || path === '/version/') return renderValue(200, serverVersion());
  if (HEALTH_PATH.test(path)) return renderText(200, 'ok');
  if (path === '/metrics') return renderText(200, deps.metrics.text());
  const document = deps.discovery.find(path, request.headers.accept);
  if (document !== undefined) {
    const headers = { Vary: 'Accept', 'Cache-Control': 'public', ETag: document.etag };
    const isKnown = request.headers['if-none-match'] === document.etag;
    const { contentType, body } = document;
    return { code: isKnown ? 304 : 200, contentType, body: isKnown ? '' : body, headers };
  }
  const openApi = deps.openApi.find(path, exchange.query, request.headers.accept);
  if (openApi === undefined) return undefined;
  return { contentType: 'application/json', ...openApi };
}

function answerReviewRequest(
  deps: RouterDependencies,
  exchange: ApiExchange,
  review: { apiVersion: string; kind: string },
): Reply {
  if (exchange.method !== 'POST') {
    throw badRequest(`${review.kind} can only be created`);
  }
  const contentType = exchange.request.headers['content-type'];
  const body = decodeOptionalBody(exchange.body, contentType);
  const status = answerReview(review.kind, body, {
    userName: deps.userName,
    isToken: (text) => deps.guard.isToken(text),
  });
  const { apiVersion, kind } = review;
  return renderValue(201, { metadata: {}, ...body, apiVersion, kind, status });
}

async function answerCounted(
  deps: RouterDependencies,
  exchange: ApiExchange,
  target: ResourcePath,
): Promise<Reply | null> {
  const { method, request } = exchange;
  const { kind, name, subresource } = target;
  const isApply = method === 'PATCH' && request.headers['content-type']?.includes('apply-patch');
  const form = isWatch(exchange, target) ? 'WATCH' : isApply ? 'APPLY' : '';
  let code = 500;
  try {
    const reply = await answerResource(deps, exchange, target);
    code = reply?.code ?? 200;
    return reply;
  } catch (error) {
    if (error instanceof StatusError) code = error.code;
    throw error;
  } finally {
    deps.metrics.count({ method, kind, name, subresource, form, code });
  }
}

const isWatch = ({ method, query }: ApiExchange, { subresource }: ResourcePath): boolean =>
  method === 'GET' && subresource === '' && ['true', '1'].includes(query.get('watch') ?? '');

function answerResource(
  deps: RouterDependencies,
  exchange: ApiExchange,
  target: ResourcePath,
): Promise<Reply | null> | Reply | null {
  const { method, query, request } = exchange;
  const { kind, name, namespace, subresource } = target;
  if (isWatch(exchange, target)) {
    return openWatch(deps, exchange, target);
  }
  if (kind.group === '' && kind.kind === 'Service' && subresource === 'proxy') {
    return taken(deps.serviceProxy.serve(exchange, target));
  }
  if (kind.group === '' && kind.kind === 'Pod' && name !== '') {
    if (subresource === 'log') {
      if (method !== 'GET') throw methodNotAllowed(kind, method.toLowerCase());
      return taken(servePodLog(deps.podLogs, { namespace, name, query }, exchange.response));
    }
    if (STREAM_SUBRESOURCES.has(subresource)) {
      throw badRequest('Upgrade request required');
    }
  }
  return deps.resources.handle({
    method,
    target,
    query,
    accept: request.headers.accept,
    contentType: request.headers['content-type'],
    body: exchange.body,
    userName: deps.userName,
    userAgent: request.headers['user-agent'],
    warnings: exchange.warnings,
  });
}

async function openWatch(
  { watches, metrics }: RouterDependencies,
  { query, request, response }: ApiExchange,
  { kind, namespace, name }: ResourcePath,
): Promise<null> {
  const format = chooseFormat(request.headers.accept);
  await watches.open({ kind, namespace, name, query, format }, response);
  if (response.destroyed) return null;
  response.once('close', metrics.watchOpened(kind, request.headers['user-agent']));
  return null;
}

async function taken(work: Promise<void>): Promise<null> {
  await work;
  return null;
}
