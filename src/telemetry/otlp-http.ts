// Sends OTLP over HTTP/1.1 (QP-157) on one kept-alive connection. What the collector answers
// decides about the batch as the OTLP specification says: 429, 502, 503 and 504 may be tried again,
// anything else that is no success may not. Loaded only when an OTLP exporter is configured.

import { readFileSync } from 'node:fs';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { gzipSync } from 'node:zlib';
import type { SendResult } from './batch-queue.ts';
import type { OtlpEndpoint } from './otlp-endpoint.ts';

export interface OtlpTransport {
  /** Never rejects. */
  send(message: Uint8Array): Promise<SendResult>;
  close(): void;
}

const RETRYABLE = new Set([429, 502, 503, 504]);

export function createHttpTransport(endpoint: OtlpEndpoint): OtlpTransport {
  const isTls = endpoint.url.protocol === 'https:';
  const ca = endpoint.caFile === '' ? {} : { ca: readFileSync(endpoint.caFile) };
  const agent = isTls
    ? new TlsAgent({ keepAlive: true, maxSockets: 1, ...ca })
    : new Agent({ keepAlive: true, maxSockets: 1 });
  const start = isTls ? requestTls : request;
  return {
    send: (message) =>
      new Promise((resolve) => {
        const body = endpoint.isGzip ? gzipSync(message) : message;
        const call = start(endpoint.url, {
          agent,
          method: 'POST',
          timeout: endpoint.timeoutMs,
          headers: {
            ...endpoint.headers,
            'content-type': 'application/x-protobuf',
            'content-length': body.length,
            ...(endpoint.isGzip ? { 'content-encoding': 'gzip' } : {}),
          },
        });
        settle(call, resolve);
        call.end(body);
      }),
    close: () => agent.destroy(),
  };
}

function settle(call: ClientRequest, resolve: (result: SendResult) => void): void {
  call.on('timeout', () => call.destroy(new Error('the collector did not answer in time')));
  call.on('error', (error) => resolve({ kind: 'later', afterMs: 0, reason: error.message }));
  call.on('response', (response) => {
    response.resume();
    response.on('close', () => resolve(verdict(response)));
  });
}

function verdict(response: IncomingMessage): SendResult {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  const reason = `the collector answered ${status}`;
  if (!RETRYABLE.has(status)) return { kind: 'refused', reason };
  const seconds = Number(response.headers['retry-after'] ?? 0);
  return { kind: 'later', afterMs: seconds > 0 ? seconds * 1000 : 0, reason };
}
