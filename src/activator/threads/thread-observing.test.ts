// What four real request threads of one activator show together: metrics that add up, a line per
// request, spans, and a config map that is followed in all of them. Threads run from dist/.

import { Agent, request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerProbes } from '../../proxy/testing/dual-app.ts';
import { until } from '../../proxy/testing/harness.ts';
import { NetActivator } from '../testing/net-activator.ts';

const THREAD_FILE = new URL('../../../dist/activator/threads/thread-main.js', import.meta.url);
const CONFIG = {
  'metrics-protocol': 'prometheus',
  'tracing-protocol': 'stdout',
  'tracing-sampling-rate': '1',
  'logging.enable-request-log': 'true',
  'logging.request-log-template': 'LOG {{.Revision.Name}} {{.Request.URL.Path}}',
};
const REQUESTS = 120;
/** Four threads start, and two hundred connections are made. */
const SLOW = { timeout: 60_000 };
let activator: NetActivator;
let lines: string[];
const agent = new Agent({ keepAlive: true, maxSockets: REQUESTS });

beforeEach(async () => {
  lines = [];
  const write = (text: string): void => void lines.push(...text.trimEnd().split('\n'));
  activator = await NetActivator.start({
    threads: 4,
    threadFile: THREAD_FILE,
    telemetry: {
      config: CONFIG,
      metricNames: 'current',
      podName: 'activator-0',
      resource: [],
      variables: {},
      output: { write },
      outlets: { metricsPort: 0, profilingPort: 0 },
    },
  });
});
afterEach(async () => {
  agent.destroy();
  await activator.stop();
});

function get(path: string): Promise<number> {
  const headers = { 'Knative-Serving-Namespace': 'default', 'Knative-Serving-Revision': 'app' };
  return new Promise((resolve, reject) => {
    const { port } = activator;
    httpRequest({ host: '127.0.0.1', port, path, agent, headers }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode ?? 0)),
    )
      .on('error', reject)
      .end();
  });
}

const page = async (): Promise<string> =>
  (await fetch(`http://127.0.0.1:${activator.running.metricsPort}/metrics`)).text();
const served = (text: string): number =>
  [...text.matchAll(/^http_server_request_duration_seconds_count\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
const logged = (): string[] => lines.filter((line) => line.startsWith('LOG '));

describe('an activator with four threads', () => {
  it(
    'ACT-32, ACT-200, ACT-208: every request is counted, logged and traced once',
    SLOW,
    async () => {
      await activator.create('app');
      const asked = Array.from({ length: REQUESTS }, (_, index) => get(`/r${index}`));
      await activator.untilReported('app', REQUESTS);
      // All of them wait: the gauge is told once, not by every thread.
      expect(await page()).toMatch(
        new RegExp(`^kn_revision_request_queued\\{.*\\} ${REQUESTS}$`, 'm'),
      );
      await activator.start('app', () => undefined, {
        protocol: 'http1',
        onRequest: (request, response) => {
          if (request.headers['k-network-probe'] !== undefined) answerProbes(request, response);
          else response.end('ok');
        },
      });
      expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
      await until(() => logged().length === REQUESTS, 'a line per request');
      expect(new Set(logged()).size).toBe(REQUESTS);
      const text = await page();
      expect(served(text)).toBe(REQUESTS);
      expect(text.match(/^kn_revision_request_queued\{/gm)?.length).toBe(1);
      await until(() => lines.some((line) => line.includes('activator_proxy')), 'spans');
      activator.running.configured({ ...CONFIG, 'logging.enable-request-log': 'false' });
      // Behind the change in every thread's channel.
      await page();
      await Promise.all(Array.from({ length: REQUESTS }, (_, index) => get(`/s${index}`)));
      expect(served(await page())).toBe(2 * REQUESTS);
      expect(logged().length).toBe(REQUESTS);
    },
  );
});
