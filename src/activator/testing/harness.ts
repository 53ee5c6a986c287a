// An activator without sockets and API: handler, reporter and throttlers of a few revisions on a
// fake clock, with fake exchanges for clients. Tests move pods in and out by hand.

import type { Revision, RevisionSpec } from '../../api/serving.ts';
import { FakeClock } from '../../clock/fake-clock.ts';
import { DeadlineWheel } from '../../proxy/deadline-wheel.ts';
import { FakeExchange } from '../../proxy/testing/fake-exchange.ts';
import type { Upstream } from '../../proxy/types.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { WAKE_PHASE_MESSAGE } from '../../telemetry/wake.ts';
import { decodeStatMessages, type StatMessage } from '../../wire/stat.ts';
import type { StatSink } from '../../wire/stat-client.ts';
import { ConcurrencyReporter } from '../concurrency-reporter.ts';
import { Dispatcher } from '../dispatcher.ts';
import { ActivatorHandler } from '../handler.ts';
import { readRevisionSettings } from '../revision-settings.ts';
import {
  MAX_QUEUED_PER_REVISION,
  RevisionThrottler,
  type UpstreamSource,
} from '../revision-throttler.ts';
import { WakeLog } from '../wake-log.ts';

/** Small linear congruential generator: the same sequence on every run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function revision(
  name: string,
  spec: Partial<RevisionSpec> = {},
  conditions: NonNullable<Revision['status']>['conditions'] = [],
): Revision {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { containers: [{ name: 'user-container' }], timeoutSeconds: 300, ...spec },
    status: { conditions },
  };
}

/** One object per address until it is forgotten, like the real pools. */
export class FakeUpstreams implements UpstreamSource {
  readonly #known = new Map<string, Upstream>();

  at(host: string, port: number): Upstream {
    const key = `${host} ${port}`;
    const upstream = this.#known.get(key) ?? { host, port };
    this.#known.set(key, upstream);
    return upstream;
  }

  forget(upstream: Upstream): void {
    this.#known.delete(`${upstream.host} ${upstream.port}`);
  }
}

export class FakeSink implements StatSink {
  isConnected = true;
  readonly batches: StatMessage[][] = [];
  hurried = 0;

  send(batch: Uint8Array): boolean {
    if (!this.isConnected) return false;
    this.batches.push(decodeStatMessages(batch));
    return true;
  }

  hurry(): void {
    this.hurried += 1;
  }

  /** Every batch as `name(concurrency,count)` joined. */
  get summary(): string[] {
    return this.batches.map((batch) =>
      batch
        .map(({ name, stat }) => `${name}(${stat.averageConcurrentRequests},${stat.requestCount})`)
        .join(' '),
    );
  }
}

/** Collects the phases of wakes as `revision phase`. */
export function wakeCollector(): { logger: Logger; phases: string[] } {
  const phases: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info(fields, message) {
      if (message !== WAKE_PHASE_MESSAGE) return;
      const { revision: name, phase } = fields as { revision: string; phase: string };
      phases.push(`${name} ${phase}`);
    },
    warn: () => undefined,
    error: () => undefined,
    isDebugEnabled: () => false,
    child: () => logger,
  };
  return { logger, phases };
}

export class ActivatorHarness {
  readonly clock = new FakeClock();
  readonly sink = new FakeSink();
  readonly upstreams = new FakeUpstreams();
  readonly reporter = new ConcurrencyReporter('activator-0', this.sink, this.clock);
  readonly deadlines = new DeadlineWheel(this.clock);
  readonly handler: ActivatorHandler;
  readonly phases: string[];
  /** What `health` answers. */
  problem: string | null = null;
  /** Called for a pod that took nothing of a request. */
  onSuspect: (dest: string) => void = () => undefined;
  readonly #dispatcher = new Dispatcher();
  readonly #throttlers = new Map<string, RevisionThrottler>();
  readonly #logger: Logger;

  constructor() {
    const wakes = wakeCollector();
    this.#logger = wakes.logger;
    this.phases = wakes.phases;
    this.handler = new ActivatorHandler({
      revisions: {
        find: (namespace, name) => this.#throttlers.get(`${namespace}/${name}`) ?? null,
      },
      reporter: this.reporter,
      deadlines: this.deadlines,
      clock: this.clock,
      health: () => this.problem,
      clusterDomain: 'cluster.local',
    });
  }

  add(
    name: string,
    spec: Partial<RevisionSpec> = {},
    queueLimit = MAX_QUEUED_PER_REVISION,
  ): RevisionThrottler {
    const throttler: RevisionThrottler = new RevisionThrottler(
      'default',
      name,
      readRevisionSettings(revision(name, spec)),
      {
        upstreams: this.upstreams,
        dispatcher: this.#dispatcher,
        wake: new WakeLog(`default/${name}`, this.#logger, this.clock),
        clock: this.clock,
        random: seededRandom(1),
        queueLimit,
        onSuspect: (dest) => this.onSuspect(dest),
      },
    );
    this.#throttlers.set(`default/${name}`, throttler);
    return throttler;
  }

  /** A client's request for a revision, already started. */
  request(name: string, headers: Record<string, string> = {}): FakeExchange {
    return new FakeExchange(this.handler, {
      'Knative-Serving-Namespace': 'default',
      'Knative-Serving-Revision': name,
      ...headers,
    }).start();
  }

  plain(headers: Record<string, string>): FakeExchange {
    return new FakeExchange(this.handler, headers).start();
  }
}

/** Lets everything the dispatcher spread over turns of the event loop happen. */
export async function settle(turns = 200): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
