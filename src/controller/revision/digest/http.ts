// One HTTP request to a registry or its token server: bounded in time and size, redirects followed,
// credentials never carried to another host. TLS 1.3 unless told otherwise (CP-3).

import http from 'node:http';
import https from 'node:https';
import { rootCertificates, type SecureVersion } from 'node:tls';
import type { Clock } from '../../../clock/clock.ts';

/** A longer answer is cut off with an error: no manifest and no token is that long. */
export const MAX_REGISTRY_BODY_BYTES = 4 * 1024 * 1024;
/** Redirects followed for one request; one more is an error. */
export const MAX_REGISTRY_REDIRECTS = 5;

export interface RegistryTls {
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
  readonly ciphers?: string;
  readonly curves?: string;
  /** PEM, trusted besides the system's roots. */
  readonly extraCa?: string;
}

export interface RegistryRequest {
  readonly method: 'HEAD' | 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export type SendRegistryRequest = (
  request: RegistryRequest,
  deadlineMs: number,
) => Promise<RegistryAnswer>;

/** `deadlineMs` is monotonic time; the promise rejects at it. */
export function createRegistrySender(clock: Clock, tls: RegistryTls = {}): SendRegistryRequest {
  const ca = tls.extraCa === undefined ? undefined : [...rootCertificates, tls.extraCa];
  const agent = new https.Agent({
    minVersion: tls.minVersion ?? 'TLSv1.3',
    ...(tls.maxVersion === undefined ? {} : { maxVersion: tls.maxVersion }),
    ...(tls.ciphers === undefined ? {} : { ciphers: tls.ciphers }),
    ...(tls.curves === undefined ? {} : { ecdhCurve: tls.curves }),
    ...(ca === undefined ? {} : { ca }),
  });
  return async (request, deadlineMs) => {
    let current = request;
    for (let hop = 0; hop <= MAX_REGISTRY_REDIRECTS; hop += 1) {
      const answer = await sendOnce(current, { clock, agent, deadlineMs });
      const location = answer.headers.location;
      const isRedirect = answer.status >= 300 && answer.status < 400 && location !== undefined;
      if (!isRedirect) return answer;
      current = redirected(current, new URL(location, current.url));
    }
    throw new Error(
      `${request.method} ${request.url}: more than ${MAX_REGISTRY_REDIRECTS} redirects`,
    );
  };
}

function redirected(request: RegistryRequest, target: URL): RegistryRequest {
  const isSameHost = new URL(request.url).host === target.host;
  const { authorization: _, ...others } = request.headers;
  return { ...request, url: target.href, headers: isSameHost ? request.headers : others };
}

interface SendContext {
  readonly clock: Clock;
  readonly agent: https.Agent;
  readonly deadlineMs: number;
}

function sendOnce(
  { method, url, headers, body }: RegistryRequest,
  { clock, agent, deadlineMs }: SendContext,
): Promise<RegistryAnswer> {
  return new Promise((resolve, reject) => {
    const isTls = url.startsWith('https:');
    const options = { method, headers, ...(isTls ? { agent } : {}) };
    const request = (isTls ? https : http).request(url, options);
    const timer = clock.setTimer(Math.max(1, deadlineMs - clock.monotonicMs()), () =>
      request.destroy(new Error('no answer in time')),
    );
    request.on('error', (error) => {
      timer.cancel();
      reject(new Error(`${method} ${url}: ${error.message}`, { cause: error }));
    });
    request.on('response', (response) => {
      readAll(response).then(
        (bytes) => {
          timer.cancel();
          const { statusCode: status = 0, statusMessage: statusText = '' } = response;
          resolve({ status, statusText, headers: response.headers, body: bytes });
        },
        (error: Error) => {
          request.destroy(error);
          timer.cancel();
          reject(new Error(`${method} ${url}: ${error.message}`, { cause: error }));
        },
      );
    });
    request.end(body);
  });
}

async function readAll(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REGISTRY_BODY_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
