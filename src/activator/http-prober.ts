// Asks a pod's sidecar whether its app is ready (ACT-95, ACT-96): GET /healthz over HTTP/1.1, in
// clear text whatever the revision speaks. node:http serves here because a probe is rare, small and
// not on the request path. Each probe has its own connection.

import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Clock } from '../clock/clock.ts';
import {
  ACTIVATOR_USER_AGENT,
  NETWORK_PROBE_HEADER,
  QUEUE_PROBE_VALUE,
} from '../wire/probe-headers.ts';
import { parseDest } from './destinations.ts';
import { type PodProber, ProbeOutcome } from './pod-watcher.ts';

/** An answer longer than this is not the sidecar's. */
const MAX_ANSWER_BYTES = 1024;

export function createHttpProber(clock: Clock): PodProber {
  return {
    probe(dest, timeoutMs, done) {
      return new HttpProbe(clock, dest, timeoutMs, done);
    },
  };
}

class HttpProbe {
  readonly #request: ClientRequest;
  readonly #timer: { cancel(): void };
  #done: ((outcome: ProbeOutcome) => void) | null;

  constructor(
    clock: Clock,
    dest: string,
    timeoutMs: number,
    done: (outcome: ProbeOutcome) => void,
  ) {
    this.#done = done;
    this.#timer = clock.setTimer(timeoutMs, () => this.#finish(ProbeOutcome.TIMED_OUT));
    this.#request = request({
      ...parseDest(dest),
      path: '/healthz',
      agent: false,
      headers: {
        Host: dest,
        'User-Agent': ACTIVATOR_USER_AGENT,
        [NETWORK_PROBE_HEADER]: QUEUE_PROBE_VALUE,
      },
    });
    this.#request.on('error', () => this.#finish(ProbeOutcome.UNREACHABLE));
    this.#request.on('response', (response) => this.#read(response));
    this.#request.end();
  }

  cancel(): void {
    this.#done = null;
    this.#timer.cancel();
    this.#request.destroy();
  }

  #read(response: IncomingMessage): void {
    let body = '';
    response.setEncoding('latin1');
    response.on('data', (chunk: string) => {
      body += chunk;
      if (body.length > MAX_ANSWER_BYTES) this.#finish(ProbeOutcome.NOT_READY);
    });
    response.on('error', () => this.#finish(ProbeOutcome.UNREACHABLE));
    response.on('end', () => {
      const isReady = response.statusCode === 200 && body === QUEUE_PROBE_VALUE;
      this.#finish(isReady ? ProbeOutcome.READY : ProbeOutcome.NOT_READY);
    });
  }

  #finish(outcome: ProbeOutcome): void {
    const done = this.#done;
    if (done === null) return;
    this.cancel();
    done(outcome);
  }
}
