// Turns results into bytes: one place for content forms (KN-130), compression (KN-2) and errors
// (KN-210). Plain JSON answers reuse the text made when the object was stored.

import type { ServerResponse } from 'node:http';
import { gzip } from 'node:zlib';
import { stringify as stringifyYaml } from 'yaml';
import { apiVersionOf, type Kind } from '../api/kinds.ts';
import type { ApiStatus } from '../api/objects.ts';
import type { ListResult } from './list.ts';
import { JSON_TYPE, type ResponseFormat } from './negotiation.ts';
import { internalError, StatusError } from './status-error.ts';
import { inVersion } from './store/stored.ts';
import { type IncludeObject, toPartialMetadata, toTable } from './table.ts';
import type { Written } from './write-request.ts';

/** KN-2: answers above this are compressed for clients that take gzip. */
export const COMPRESS_ABOVE_BYTES = 128 * 1024;
/** Longest text of one Warning header. */
const MAX_WARNING_LENGTH = 1024;
/** Warning headers on one answer. */
const MAX_WARNINGS = 20;

const NO_CACHE = 'no-cache, private';

export interface Reply {
  code: number;
  contentType: string;
  body: string;
  headers?: Readonly<Record<string, string>>;
}

export interface RenderOptions {
  format: ResponseFormat;
  include: IncludeObject;
  nowMs: number;
}

function fromValue(code: number, value: object, format: ResponseFormat): Reply {
  if (format === 'yaml') {
    return { code, contentType: 'application/yaml', body: stringifyYaml(value) };
  }
  return { code, contentType: JSON_TYPE, body: JSON.stringify(value) };
}

export function renderObject(
  code: number,
  kind: Kind,
  written: Written,
  options: RenderOptions,
): Reply {
  const { object, json } = inVersion(kind, written);
  switch (options.format) {
    case 'json':
      return { code, contentType: JSON_TYPE, body: json };
    case 'table': {
      const { resourceVersion } = object.metadata;
      const metadata = { resourceVersion: resourceVersion ?? '' };
      return fromValue(code, toTable(kind, [object], { ...options, metadata }), 'json');
    }
    case 'metadata':
      return fromValue(code, toPartialMetadata(object), 'json');
    case 'yaml':
      return fromValue(code, object, 'yaml');
  }
}

export function renderList(kind: Kind, result: ListResult, options: RenderOptions): Reply {
  const { items: stored, ...rest } = result;
  const items = stored.map((item) => inVersion(kind, item));
  const metadata = { ...rest };
  const objects = items.map(({ object }) => object);
  const head = { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata };
  switch (options.format) {
    case 'json': {
      const start = JSON.stringify(head).slice(0, -1);
      const body = `${start},"items":[${items.map(({ json }) => json).join(',')}]}`;
      return { code: 200, contentType: JSON_TYPE, body };
    }
    case 'table':
      return fromValue(200, toTable(kind, objects, { ...options, metadata }), 'json');
    case 'metadata':
      return fromValue(
        200,
        {
          kind: 'PartialObjectMetadataList',
          apiVersion: 'meta.k8s.io/v1',
          metadata,
          items: objects.map(toPartialMetadata),
        },
        'json',
      );
    case 'yaml':
      return fromValue(200, { ...head, items: objects }, 'yaml');
  }
}

export function renderStatus(status: ApiStatus, code = status.code ?? 200): Reply {
  const retry = status.details?.retryAfterSeconds;
  return {
    code,
    contentType: JSON_TYPE,
    body: JSON.stringify(status),
    ...(retry === undefined ? {} : { headers: { 'Retry-After': String(retry) } }),
  };
}

export function renderValue(code: number, value: object): Reply {
  return fromValue(code, value, 'json');
}

export const renderText = (code: number, body: string): Reply => ({
  code,
  contentType: 'text/plain; charset=utf-8',
  body,
});

/** KN-101: nothing is served under this path. */
export const unknownPath = (): Reply => renderText(404, '404 page not found\n');

/** Any thrown value as an answer; `onUnexpected` hears about those that are our own mistakes. */
export function renderError(error: unknown, onUnexpected: (error: unknown) => void): Reply {
  if (error instanceof StatusError) return renderStatus(error.status);
  onUnexpected(error);
  return renderStatus(internalError((error as Error).message).status);
}

/** KN-4: one `Warning` header per text, without what would break the header. */
export function warningHeaders(warnings: readonly string[]): string[] {
  return [...new Set(warnings)].slice(0, MAX_WARNINGS).map((text) => {
    const safe = text
      .slice(0, MAX_WARNING_LENGTH)
      .replace(/[^\x20-\x7e]/g, ' ')
      .replace(/["\\]/g, '\\$&');
    return `299 - "${safe}"`;
  });
}

export function send(
  response: ServerResponse,
  reply: Reply,
  options: { acceptsGzip: boolean; warnings: readonly string[] },
): void {
  if (response.headersSent || response.destroyed) return;
  if (options.warnings.length > 0) response.setHeader('Warning', warningHeaders(options.warnings));
  const { headers } = reply;
  if (headers !== undefined) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  }
  const fields = ['Content-Type', reply.contentType];
  if (headers?.['Cache-Control'] === undefined) fields.push('Cache-Control', NO_CACHE);
  if (!options.acceptsGzip || reply.body.length < COMPRESS_ABOVE_BYTES) {
    // As a list, and with no header set before, the head is written in one go.
    fields.push('Content-Length', String(Buffer.byteLength(reply.body)));
    response.writeHead(reply.code, fields);
    response.end(reply.body);
    return;
  }
  gzip(reply.body, { level: 1 }, (error, compressed) => {
    if (error !== null) {
      response.destroy(error);
      return;
    }
    fields.push('Content-Encoding', 'gzip', 'Content-Length', String(compressed.length));
    response.writeHead(reply.code, fields);
    response.end(compressed);
  });
}
