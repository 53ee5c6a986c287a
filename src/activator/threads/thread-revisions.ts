// The revisions a request thread knows, as the main thread tells of them (decision 0018): one
// throttler each, with the shared gate and the shared slots of its pods. A revision that went stays
// until nobody is inside, because its slots may still be on their way here (ACT-44).
// `find` is hot: two map lookups, no string built.

import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../../clock/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ReportSubject } from '../concurrency-reporter.ts';
import { Dispatcher } from '../dispatcher.ts';
import type { RevisionSource } from '../handler.ts';
import type { RevisionDirectory } from '../observed-revision.ts';
import { RevisionThrottler, type UpstreamSource } from '../revision-throttler.ts';
import { WakeLog } from '../wake-log.ts';
import type { FromThread, RevisionChange, RevisionStart, ThreadStart } from './thread-messages.ts';
import { WorkerTeam } from './worker-team.ts';

export interface ThreadRevisionsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** Where requests of a namespace go. */
  readonly upstreamsOf: (namespace: string) => UpstreamSource;
  readonly post: (message: FromThread) => void;
}

interface Shared {
  readonly start: RevisionStart;
  readonly throttler: RevisionThrottler;
  readonly team: WorkerTeam;
}

export class ThreadRevisions implements RevisionSource, RevisionDirectory {
  readonly #start: ThreadStart;
  readonly #deps: ThreadRevisionsDeps;
  readonly #dispatcher = new Dispatcher();
  /** Namespace, then revision name. */
  readonly #byNamespace = new Map<string, Map<string, RevisionThrottler>>();
  readonly #byId = new Map<number, Shared>();
  readonly #ids = new WeakMap<ReportSubject, number>();
  readonly #forgotten = new Set<number>();
  #tellGone: (namespace: string, name: string) => void = () => undefined;

  constructor(start: ThreadStart, deps: ThreadRevisionsDeps) {
    this.#start = start;
    this.#deps = deps;
    for (const port of start.ports) {
      port?.on('message', (id: number) => this.#byId.get(id)?.team.gate.collect());
      port?.unref();
    }
  }

  find(namespace: string, name: string): RevisionThrottler | null {
    return this.#byNamespace.get(namespace)?.get(name) ?? null;
  }

  idOf(subject: ReportSubject): number {
    return this.#ids.get(subject) ?? -1;
  }

  ownersOf(namespace: string, name: string): { service: string; configuration: string } {
    const throttler = this.find(namespace, name);
    const start = throttler === null ? undefined : this.#byId.get(this.idOf(throttler))?.start;
    return { service: start?.service ?? '', configuration: start?.configuration ?? '' };
  }

  onGone(listener: (namespace: string, name: string) => void): () => void {
    this.#tellGone = listener;
    return () => {
      this.#tellGone = () => undefined;
    };
  }

  apply(change: RevisionChange): void {
    if (change.kind === 'track') {
      this.#track(change);
      return;
    }
    const shared = this.#byId.get(change.id);
    if (shared === undefined) return;
    if (change.kind === 'settings') shared.throttler.update(change.settings);
    else if (change.kind === 'forget') this.#forget(change.id, shared);
    else if (change.kind === 'phase') shared.throttler.wake.reach(change.phase, change.atMs);
    else this.#publish(shared, change);
  }

  #publish({ throttler, team }: Shared, change: Extract<RevisionChange, { kind: 'pods' }>): void {
    const { state, id, version } = change;
    team.slots = new Map(change.slots);
    if (state.kind === 'pods') throttler.setPods(state.dests, state.unproven);
    else if (state.kind === 'clusterIp') throttler.setClusterIp(state.dest, state.backendCount);
    else throttler.setPlace(state.place);
    this.#deps.post({ kind: 'published', id, version });
  }

  #track(start: RevisionStart): void {
    this.#sweep();
    const { id, namespace, name, settings, passthroughHost, gate } = start;
    const { clock, logger, random, upstreamsOf, post } = this.#deps;
    const { thread, threads, ports } = this.#start;
    const wake = (to: number): void => (ports[to] as MessagePort | null)?.postMessage(id);
    const team = new WorkerTeam(gate, { thread, threads, wake });
    const throttler = new RevisionThrottler(namespace, name, settings, {
      upstreams: upstreamsOf(namespace),
      clock,
      random,
      passthroughHost,
      team,
      dispatcher: this.#dispatcher,
      wake: new WakeLog(`${namespace}/${name}`, logger, clock),
      onSuspect: (dest) => post({ kind: 'suspect', id, dest }),
    });
    this.#ids.set(throttler, id);
    this.#byId.set(id, { start, throttler, team });
    let revisions = this.#byNamespace.get(namespace);
    if (revisions === undefined) {
      revisions = new Map();
      this.#byNamespace.set(namespace, revisions);
    }
    revisions.set(name, throttler);
  }

  #forget(id: number, { throttler }: Shared): void {
    const revisions = this.#byNamespace.get(throttler.namespace);
    if (revisions?.get(throttler.name) === throttler) {
      revisions.delete(throttler.name);
      this.#tellGone(throttler.namespace, throttler.name);
    }
    if (revisions?.size === 0) this.#byNamespace.delete(throttler.namespace);
    throttler.stop();
    this.#forgotten.add(id);
  }

  #sweep(): void {
    for (const id of this.#forgotten) {
      const gate = this.#byId.get(id)?.team.gate;
      if (gate === undefined || gate.inFlight > 0 || gate.waiting > 0) continue;
      this.#forgotten.delete(id);
      this.#byId.delete(id);
    }
  }
}
