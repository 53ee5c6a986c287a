// HTTP readiness attempts (QP-106 to QP-111): a new connection each, redirects followed,
// certificates not verified, configured Host and User-Agent honoured. With
// auto-detection an attempt asks by HTTP/2 with prior knowledge first and by HTTP/1.1 if that did
// not say ready. Imported by the first HTTP probe, not at start.

import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import { APP_PROBE_USER_AGENT } from '../wire/probe-headers.ts';
import type { AttemptDeps } from './probe-attempts.ts';
import type { HttpProbeAction } from './readiness-probe.ts';

/** Redirects a readiness probe follows; one more and the attempt fails (QP-109). */
const MAX_REDIRECTS = 10;
/** Body bytes read before the connection is closed; the kubelet stops there too. */
const MAX_BODY_BYTES = 10 * 1024;

/** Status of an answer, and where it points if it redirects. */
interface Answer {
  readonly status: number;
  readonly location: string;
}

/** Null = ready. */
export async function attemptHttp(
  action: HttpProbeAction,
  timeoutMs: number,
  deps: AttemptDeps,
): Promise<string | null> {
  if (deps.http2AutoDetection && action.scheme === 'http') {
    const answer = await withTimeout(timeoutMs, deps, (signal) => askHttp2(action, signal));
    if (typeof answer !== 'string' && isReadyStatus(answer.status)) return null;
  }
  const answer = await withTimeout(timeoutMs, deps, (signal) => askFollowing(action, signal));
  if (typeof answer === 'string') return answer;
  if (isReadyStatus(answer.status)) return null;
  return `HTTP probe did not respond Ready, got status code: ${answer.status}`;
}

function isReadyStatus(status: number): boolean {
  return status >= 200 && status < 400;
}

/** The answer, or the text of what prevented one. */
async function withTimeout(
  timeoutMs: number,
  deps: AttemptDeps,
  ask: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer | string> {
  const controller = new AbortController();
  const timer = timeoutMs > 0 ? deps.clock.setTimer(timeoutMs, () => controller.abort()) : null;
  try {
    return await ask(controller.signal);
  } catch (error) {
    return controller.signal.aborted ? 'context deadline exceeded' : (error as Error).message;
  } finally {
    timer?.cancel();
  }
}

async function askFollowing(action: HttpProbeAction, signal: AbortSignal): Promise<Answer> {
  let url = new URL(`${action.scheme}://${bracketed(action.host)}:${action.port}`);
  // Not parsed with the rest: the configured path and query must arrive as written.
  let target = action.path;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await askHttp1(url, target, action, signal);
    if (answer.location === '' || answer.status < 300 || answer.status >= 400) return answer;
    if (redirects === MAX_REDIRECTS) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    url = new URL(answer.location, new URL(target, url));
    target = url.pathname + url.search;
  }
}

function askHttp1(
  url: URL,
  target: string,
  action: HttpProbeAction,
  signal: AbortSignal,
): Promise<Answer> {
  const isHttps = url.protocol === 'https:';
  const port = url.port || (isHttps ? '443' : '80');
  const headers = requestHeaders(action, `${url.hostname}:${port}`);
  const options: https.RequestOptions = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    path: target,
    // A flat list: node sends exactly these lines, in this order.
    headers: headers.flat(),
    agent: false,
    rejectUnauthorized: false,
    signal,
  };
  return new Promise((resolve, reject) => {
    const request = isHttps ? https.request(options) : http.request(options);
    request.on('error', reject);
    request.on('response', (response) => {
      let bodyBytes = 0;
      const finish = (): void => {
        resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
        request.destroy();
      };
      response.on('data', (chunk: Buffer) => {
        bodyBytes += chunk.length;
        if (bodyBytes > MAX_BODY_BYTES) finish();
      });
      response.on('end', finish);
      response.on('error', reject);
    });
    request.end();
  });
}

/** QP-107: Host, User-Agent, the configured ones in order, Accept-Encoding, Connection. */
function requestHeaders(action: HttpProbeAction, host: string): [string, string][] {
  const configured = new Set(action.headers.map(([name]) => name.toLowerCase()));
  const headers: [string, string][] = [];
  if (!configured.has('host')) headers.push(['Host', host]);
  if (!configured.has('user-agent')) headers.push(['User-Agent', APP_PROBE_USER_AGENT]);
  for (const [name, value] of action.headers) headers.push([name, value]);
  if (!configured.has('accept-encoding')) headers.push(['Accept-Encoding', 'gzip']);
  headers.push(['Connection', 'close']);
  return headers;
}

function askHttp2(action: HttpProbeAction, signal: AbortSignal): Promise<Answer> {
  const authority = `${bracketed(action.host)}:${action.port}`;
  const headers: http2.OutgoingHttpHeaders = {
    ':path': action.path,
    'user-agent': APP_PROBE_USER_AGENT,
  };
  for (const [name, value] of action.headers) {
    const key = name.toLowerCase();
    headers[key === 'host' ? ':authority' : key] = value;
  }
  return new Promise((resolve, reject) => {
    const session = http2.connect(`http://${authority}`);
    const fail = (error: Error): void => {
      session.destroy();
      reject(error);
    };
    signal.addEventListener('abort', () => fail(new Error('aborted')), { once: true });
    session.on('error', fail);
    const stream = session.request(headers, { endStream: true });
    stream.on('error', fail);
    stream.on('response', (answer) => {
      resolve({ status: answer[':status'] ?? 0, location: '' });
      session.destroy();
    });
    stream.on('close', () => fail(new Error('stream closed without an answer')));
  });
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
