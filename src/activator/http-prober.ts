// Asks a pod's sidecar whether its app is ready (ACT-95, ACT-96): GET /healthz over HTTP/1.1, in
// clear text whatever the revision speaks. Probes use the pool the pod's requests will use, so the
// probe that succeeds leaves a warm connection for the first of them (ACT-14).
// Invariant: a probe ends once, by answer, loss, deadline or cancel, and with it its connection,
// unless that went back to the pool.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import { readLatin1 } from '../proxy/latin1.ts';
import type { PendingDial, UpstreamCaller, UpstreamLink } from '../proxy/upstream-link.ts';
import { UpstreamPool } from '../proxy/upstream-pools.ts';
import {
  ACTIVATOR_USER_AGENT,
  NETWORK_PROBE_HEADER,
  PASSTHROUGH_LB_LINE,
  QUEUE_PROBE_VALUE,
} from '../wire/probe-headers.ts';
import { parseDest } from './destinations.ts';
import { type PodProber, ProbeOutcome } from './pod-probes.ts';
import type { UpstreamSource } from './revision-throttler.ts';

/** An answer longer than this is not the sidecar's: NOT_MESH. */
const MAX_ANSWER_BYTES = 1024;
const EMPTY = Buffer.alloc(0);
const ignore = (): void => undefined;

export interface ProberDeps {
  clock: Clock;
  upstreams: UpstreamSource;
}

export function createHttpProber(deps: ProberDeps): PodProber {
  const { clock, upstreams } = deps;
  const poolOf = (dest: string): UpstreamPool => {
    const { host, port } = parseDest(dest);
    const upstream = upstreams.at(host, port);
    if (!(upstream instanceof UpstreamPool)) throw new TypeError('upstream is not of our pools');
    return upstream;
  };
  return {
    probe(dest, timeoutMs, done, passthroughHost = null, onConnected = ignore) {
      const pool = poolOf(dest);
      const finish = (outcome: ProbeOutcome): void => {
        // There were too many addresses to remember this one, so nobody will find its connection.
        if (poolOf(dest) !== pool) pool.close();
        done(outcome);
      };
      const head = probeHead(dest, passthroughHost);
      return new HttpProbe(clock, pool, head, timeoutMs, { finish, onConnected });
    },
    forget: (dest) => upstreams.forget(poolOf(dest)),
  };
}

function probeHead(dest: string, passthroughHost: string | null): string {
  const lines = [
    'GET /healthz HTTP/1.1',
    `Host: ${passthroughHost ?? dest}`,
    `User-Agent: ${ACTIVATOR_USER_AGENT}`,
    `${NETWORK_PROBE_HEADER}: ${QUEUE_PROBE_VALUE}`,
  ];
  const extra = passthroughHost === null ? '' : PASSTHROUGH_LB_LINE;
  return `${lines.join('\r\n')}\r\n${extra}\r\n`;
}

interface ProbeEvents {
  readonly finish: (outcome: ProbeOutcome) => void;
  readonly onConnected: () => void;
}

class HttpProbe implements UpstreamCaller {
  readonly method = 'GET';
  readonly #pool: UpstreamPool;
  readonly #head: string;
  readonly #timer: TimerHandle;
  #done: ((outcome: ProbeOutcome) => void) | null;
  readonly #onConnected: () => void;
  #dial: PendingDial | null = null;
  #connection: UpstreamLink | null = null;
  #status = 0;
  #body = '';

  constructor(
    clock: Clock,
    pool: UpstreamPool,
    head: string,
    timeoutMs: number,
    { finish, onConnected }: ProbeEvents,
  ) {
    this.#pool = pool;
    this.#head = head;
    this.#done = finish;
    this.#onConnected = onConnected;
    this.#timer = clock.setTimer(timeoutMs, () => this.#finish(ProbeOutcome.TIMED_OUT));
    const connection = pool.checkout(true, clock.monotonicMs());
    if (connection === null) this.#dial = pool.dial(this);
    else this.#send(connection);
  }

  cancel(): void {
    this.#done = null;
    this.#timer.cancel();
    this.#dial?.cancel();
    this.#dial = null;
    this.#connection?.destroy();
    this.#connection = null;
  }

  onDialed(connection: UpstreamLink): void {
    this.#dial = null;
    this.#send(connection);
  }

  onDialFailed(): void {
    this.#dial = null;
    this.#finish(ProbeOutcome.UNREACHABLE);
  }

  onUpstreamInterim(): void {
    // A sidecar sends none; the final answer decides.
  }

  onUpstreamDrain(): void {
    // The request is one short write.
  }

  onUpstreamHead(connection: UpstreamLink): void {
    this.#status = connection.head.status;
  }

  onUpstreamData(buffer: Buffer, start: number, end: number, isLast: boolean): void {
    this.#body += readLatin1(buffer, start, end);
    // Back in the pool already.
    if (isLast) this.#connection = null;
    if (isLast || this.#body.length > MAX_ANSWER_BYTES) this.#finish(this.#judge());
  }

  onUpstreamLost(_code: number, _message: string, isUntouched: boolean): void {
    const wasReused = this.#connection?.isReused === true;
    this.#connection = null;
    // The pod closed an idle connection just now; that says nothing about the pod.
    if (isUntouched && wasReused) this.#dial = this.#pool.dial(this);
    else this.#finish(ProbeOutcome.UNREACHABLE);
  }

  #send(connection: UpstreamLink): void {
    this.#connection = connection;
    connection.begin(this, false);
    connection.requestDone = true;
    connection.write(this.#head, EMPTY, 0, 0, false, '');
    this.#onConnected();
  }

  #judge(): ProbeOutcome {
    const status = this.#status;
    if (status === 200 && this.#body === QUEUE_PROBE_VALUE) return ProbeOutcome.READY;
    return status === 502 || status === 503 ? ProbeOutcome.NOT_READY : ProbeOutcome.NOT_MESH;
  }

  #finish(outcome: ProbeOutcome): void {
    const done = this.#done;
    if (done === null) return;
    this.cancel();
    done(outcome);
  }
}
