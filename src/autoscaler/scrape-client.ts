// One GET of a queue-proxy's stat (AS-59, AS-77): keep-alive, 3 s in all, a bounded body, and every
// way it can fail told apart where the scraper cares (does it look like a mesh?).

import { Agent, type IncomingMessage, request } from 'node:http';
import type { Clock } from '../clock/clock.ts';
import { MAX_STAT_BYTES, STAT_CONTENT_TYPE } from '../wire/probe-headers.ts';
import { decodeStat, type Stat } from '../wire/stat.ts';

/** AS-77. */
export const SCRAPE_TIMEOUT_MS = 3000;
/** Connections to queue-proxies kept open between scrapes; one more is closed after its answer. */
const MAX_IDLE_CONNECTIONS = 1000;

export type ScrapeResult =
  | { stat: Stat }
  /** `status` 0 = no usable HTTP answer at all. */
  | { stat: null; status: number; problem: string };

export interface ScrapeClient {
  /** Never rejects. */
  scrape(
    host: string,
    port: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<ScrapeResult>;
  /** AS-77: over a connection of its own, so that a mesh chooses a pod each time. Never rejects. */
  scrapeOnce(host: string, port: number): Promise<ScrapeResult>;
  close(): void;
}

export function createScrapeClient(clock: Clock): ScrapeClient {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE_CONNECTIONS });
  return {
    scrape: (host, port, headers) => get(agent, clock, host, port, headers),
    scrapeOnce: (host, port) => get(false, clock, host, port, {}),
    close: () => agent.destroy(),
  };
}

function get(
  agent: Agent | false,
  clock: Clock,
  host: string,
  port: number,
  headers: Readonly<Record<string, string>>,
): Promise<ScrapeResult> {
  return new Promise((resolve) => {
    const call = request({
      agent,
      host,
      port,
      path: '/metrics',
      headers: { Accept: STAT_CONTENT_TYPE, ...headers },
    });
    const timer = clock.setTimer(SCRAPE_TIMEOUT_MS, () => finish(failed(0, 'timed out')));
    const finish = (result: ScrapeResult): void => {
      timer.cancel();
      if (result.stat === null) call.destroy();
      resolve(result);
    };
    call.on('error', (error) => finish(failed(0, error.message)));
    call.on('response', (response) => {
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) {
        const url = `http://${host}:${port}/metrics`;
        finish(failed(status, `GET request for URL "${url}" returned HTTP status ${status}`));
      } else if (response.headers['content-type'] !== STAT_CONTENT_TYPE) {
        finish(failed(status, 'unsupported metric type'));
      } else {
        readBody(response, finish);
      }
    });
    call.end();
  });
}

function readBody(response: IncomingMessage, finish: (result: ScrapeResult) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('error', (error) => finish(failed(200, error.message)));
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_STAT_BYTES) finish(failed(200, 'stat is too long'));
    else chunks.push(chunk);
  });
  response.on('end', () => {
    try {
      finish({ stat: decodeStat(Buffer.concat(chunks)) });
    } catch (error) {
      finish(failed(200, error instanceof Error ? error.message : String(error)));
    }
  });
}

function failed(status: number, problem: string): ScrapeResult {
  return { stat: null, status, problem };
}
