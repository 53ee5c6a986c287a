// Asks the public service of a revision whether an activator answers (AS-135, AS-136): the last
// check before its pods are taken away. One attempt with a limit of its own (AS-198), and a
// background repetition of which there is at most one per revision.

import { request } from 'node:http';
import type { PodAutoscaler } from '../api/autoscaling.ts';
import type { Clock } from '../clock/clock.ts';
import {
  ACTIVATOR_PROBE_VALUE,
  AUTOSCALER_USER_AGENT,
  NETWORK_PROBE_HEADER,
} from '../wire/probe-headers.ts';

/** AS-198: a path that accepts but never answers counts as unsuccessful. */
export const PROBE_TIMEOUT_MS = 1000;
/** AS-136. */
export const BACKGROUND_PERIOD_MS = 1000;
export const BACKGROUND_LIMIT_MS = 45_000;
/** AS-135: the path is joined with a slash in front of `/healthz`. */
const PROBE_PATH = '//healthz';
const MAX_BODY_CHARACTERS = 64;

export type ResolveService = (
  namespace: string,
  name: string,
  portName: string,
) => { host: string; port: number } | null;

export interface ActivatorProbeOptions {
  resolveService: ResolveService;
  clusterDomain: string;
  clock: Clock;
}

export class ActivatorProbe {
  readonly #options: ActivatorProbeOptions;
  /** Public services being probed in the background. */
  readonly #running = new Set<string>();
  #isStopped = false;

  constructor(options: ActivatorProbeOptions) {
    this.#options = options;
  }

  /** Never rejects; false for every way of not being an activator. */
  async once(pa: PodAutoscaler): Promise<boolean> {
    const { namespace = '' } = pa.metadata;
    const serviceName = pa.status?.serviceName ?? '';
    if (serviceName === '') return false;
    const isH2c = pa.spec.protocolType === 'h2c';
    const { resolveService, clusterDomain, clock } = this.#options;
    const address = resolveService(namespace, serviceName, isH2c ? 'http2' : 'http');
    if (address === null) return false;
    const host = `${serviceName}.${namespace}.svc.${clusterDomain}:${isH2c ? 81 : 80}`;
    const answer = await get(clock, address, host);
    return answer === ACTIVATOR_PROBE_VALUE;
  }

  /** AS-136: every second for up to 45 s, then, however it went, `done`. */
  inBackground(pa: PodAutoscaler, done: () => void): void {
    const url = `${pa.metadata.namespace}/${pa.status?.serviceName ?? ''}`;
    if (this.#running.has(url) || this.#isStopped) return;
    this.#running.add(url);
    void this.#repeat(pa).then(() => {
      this.#running.delete(url);
      if (!this.#isStopped) done();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #repeat(pa: PodAutoscaler): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + BACKGROUND_LIMIT_MS;
    while (!this.#isStopped && !(await this.once(pa))) {
      if (clock.monotonicMs() + BACKGROUND_PERIOD_MS > endMs) return;
      await clock.sleep(BACKGROUND_PERIOD_MS);
    }
  }
}

/** The body of a 200, null for anything else. */
function get(
  clock: Clock,
  address: { host: string; port: number },
  hostHeader: string,
): Promise<string | null> {
  return new Promise((resolve) => {
    const call = request({
      agent: false,
      host: address.host,
      port: address.port,
      path: PROBE_PATH,
      headers: {
        Host: hostHeader,
        'User-Agent': AUTOSCALER_USER_AGENT,
        [NETWORK_PROBE_HEADER]: ACTIVATOR_PROBE_VALUE,
      },
    });
    const finish = (body: string | null): void => {
      timer.cancel();
      call.destroy();
      resolve(body);
    };
    const timer = clock.setTimer(PROBE_TIMEOUT_MS, () => finish(null));
    call.on('error', () => finish(null));
    call.on('response', (response) => {
      if (response.statusCode !== 200) return finish(null);
      let body = '';
      response.setEncoding('latin1');
      response.on('error', () => finish(null));
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_BODY_CHARACTERS) finish(null);
      });
      response.on('end', () => finish(body));
    });
    call.end();
  });
}
