// Sends OTLP as gRPC unary calls over node:http2 (QP-157), plain text or TLS by the endpoint's URL.
// One session, opened again when it is lost. Which statuses may be tried again is the OTLP
// specification's list. Loaded only when a gRPC exporter is configured.

import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import type { Clock } from '../clock/clock.ts';
import type { SendResult } from './batch-queue.ts';
import type { OtlpEndpoint } from './otlp-endpoint.ts';
import type { OtlpTransport } from './otlp-http.ts';

/** CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS. */
const RETRYABLE = new Set(['1', '4', '10', '11', '14', '15']);
const PREFIX_BYTES = 5;

export function createGrpcTransport(endpoint: OtlpEndpoint, clock: Clock): OtlpTransport {
  const ca = endpoint.caFile === '' ? {} : { ca: readFileSync(endpoint.caFile) };
  let session: ClientHttp2Session | null = null;
  const open = (): ClientHttp2Session => {
    if (session !== null && !session.closed && !session.destroyed) return session;
    const opened = connect(endpoint.url.origin, ca);
    // Losing the connection fails its calls, which report it; the idle session has nobody to tell.
    opened.on('error', () => opened.destroy());
    opened.unref();
    session = opened;
    return opened;
  };
  return {
    send: (message) =>
      new Promise((resolve) => {
        const stream = open().request({
          ':method': 'POST',
          ':path': endpoint.url.pathname,
          ...endpoint.headers,
          'content-type': 'application/grpc',
          te: 'trailers',
          'user-agent': 'pilotlight-otlp-grpc',
          ...(endpoint.isGzip ? { 'grpc-encoding': 'gzip' } : {}),
        });
        const late = clock.setTimer(endpoint.timeoutMs, () => stream.close(), { background: true });
        stream.on('close', () => late.cancel());
        settle(stream, resolve);
        stream.end(framed(message, endpoint.isGzip));
      }),
    close: () => session?.destroy(),
  };
}

/** Length-prefixed message of the gRPC protocol. */
function framed(message: Uint8Array, isGzip: boolean): Buffer {
  const body = isGzip ? gzipSync(message) : message;
  const frame = Buffer.alloc(PREFIX_BYTES + body.length);
  frame[0] = isGzip ? 1 : 0;
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, PREFIX_BYTES);
  return frame;
}

function settle(stream: ClientHttp2Stream, resolve: (result: SendResult) => void): void {
  let status = '';
  let reason = 'the collector closed the call or did not answer in time';
  const note = (headers: Readonly<Record<string, unknown>>): void => {
    status = String(headers['grpc-status'] ?? status);
    const message = headers['grpc-message'];
    if (status !== '' && status !== '0') reason = `gRPC status ${status}: ${message ?? ''}`;
    const http = Number(headers[':status'] ?? 200);
    if (http !== 200) reason = `the collector answered ${http}`;
  };
  stream.on('response', note);
  stream.on('trailers', note);
  stream.on('error', (error) => {
    reason = error.message;
  });
  stream.resume();
  stream.on('close', () => {
    if (status === '0') resolve({ kind: 'sent' });
    else if (status === '' || RETRYABLE.has(status)) {
      resolve({ kind: 'later', afterMs: 0, reason });
    } else resolve({ kind: 'refused', reason });
  });
}
