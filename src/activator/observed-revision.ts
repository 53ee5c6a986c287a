// What observers know of each revision: names for log lines and spans, its metrics, where to read
// how many requests wait and run. Made with the first request of a revision while something is
// observed, and gone with the revision. Bounded; not hot, the throttler keeps the reference.

import { CONFIGURATION_LABEL, SERVICE_LABEL } from '../api/labels.ts';
import type { Revision } from '../api/serving.ts';
import type { Informer } from '../kube/types.ts';
import type { LogRevision } from '../proxy/observe/request-log/entry.ts';
import type { MetricSnapshot } from '../telemetry/metric-series.ts';
import { type MetricNames, RevisionMetrics } from './revision-metrics.ts';

/** Revisions with metrics; those that come later have none, or a page would take gigabytes. */
export const MAX_OBSERVED_REVISIONS = 10_000;

/** A throttler as far as observing goes. */
export interface ObservedSource {
  readonly namespace: string;
  readonly name: string;
  /** Waiting for capacity, and having it (ACT-203). */
  readonly waiting: number;
  readonly inFlight: number;
  /** Belongs to ObservedRevisions; null = not observed yet. */
  observed: ObservedRevision | null;
}

export interface ObservedRevision {
  source: ObservedSource;
  readonly identity: LogRevision;
  /** Null when metrics are off, or there are too many revisions. */
  readonly metrics: RevisionMetrics | null;
}

/** Who knows what a revision belongs to, and when it goes. */
export interface RevisionDirectory {
  /** '' = it belongs to none. */
  ownersOf(namespace: string, name: string): { service: string; configuration: string };
  /** Returns how to listen no more. */
  onGone(listener: (namespace: string, name: string) => void): () => void;
}

/** The Revisions of the API. */
export function directoryOf(revisions: Informer<Revision>): RevisionDirectory {
  return {
    ownersOf(namespace, name) {
      const labels = revisions.lister.get(namespace, name)?.metadata.labels ?? {};
      return {
        service: labels[SERVICE_LABEL] ?? '',
        configuration: labels[CONFIGURATION_LABEL] ?? '',
      };
    },
    onGone: (listener) =>
      revisions.onChange((current, previous) => {
        if (current !== null || previous === null) return;
        listener(previous.metadata.namespace ?? '', previous.metadata.name);
      }),
  };
}

export interface ObservedRevisionsDeps {
  readonly revisions: RevisionDirectory;
  /** Null = metrics are off. */
  readonly metricNames: MetricNames | null;
  readonly podName: string;
}

export class ObservedRevisions {
  readonly #deps: ObservedRevisionsDeps;
  /** Namespace, then name. */
  readonly #all = new Map<string, Map<string, ObservedRevision>>();
  readonly #unwatch: () => void;
  #count = 0;

  constructor(deps: ObservedRevisionsDeps) {
    this.#deps = deps;
    this.#unwatch = deps.revisions.onGone((namespace, name) => this.#forget(namespace, name));
  }

  of(source: ObservedSource): ObservedRevision {
    return source.observed ?? this.#add(source);
  }

  /** ACT-133. Nobody asked about a revision without requests. */
  noteConcurrency(namespace: string, name: string, average: number): void {
    this.#all.get(namespace)?.get(name)?.metrics?.noteConcurrency(average);
  }

  /** `hasGauges` false leaves out what is the same in every thread. */
  snapshot(hasGauges: boolean): MetricSnapshot[] {
    const snapshots: MetricSnapshot[] = [];
    for (const revisions of this.#all.values()) {
      for (const { source, metrics } of revisions.values()) {
        if (metrics === null) continue;
        const { waiting: queued, inFlight: active } = source;
        snapshots.push(metrics.snapshot(hasGauges ? { queued, active } : null));
      }
    }
    return snapshots;
  }

  stop(): void {
    this.#unwatch();
  }

  /** A revision that was deleted and made again goes on with the series of its name. */
  #add(source: ObservedSource): ObservedRevision {
    const { namespace, name } = source;
    let revisions = this.#all.get(namespace);
    if (revisions === undefined) {
      revisions = new Map();
      this.#all.set(namespace, revisions);
    }
    let observed = revisions.get(name);
    if (observed === undefined) {
      observed = this.#create(source);
      if (observed.metrics !== null) {
        revisions.set(name, observed);
        this.#count += 1;
      }
    }
    observed.source = source;
    source.observed = observed;
    return observed;
  }

  #create(source: ObservedSource): ObservedRevision {
    const { namespace, name } = source;
    const { revisions, metricNames, podName } = this.#deps;
    const { service, configuration } = revisions.ownersOf(namespace, name);
    const isFull = this.#count >= MAX_OBSERVED_REVISIONS;
    return {
      source,
      // ACT-32: an activator is no pod of the revision.
      identity: { name, namespace, service, configuration, podName: '', podIp: '' },
      metrics:
        metricNames === null || isFull
          ? null
          : new RevisionMetrics({ namespace, name, service, configuration }, metricNames, podName),
    };
  }

  #forget(namespace: string, name: string): void {
    const revisions = this.#all.get(namespace);
    const isKnown = revisions?.delete(name) === true;
    if (isKnown) this.#count -= 1;
    if (revisions?.size === 0) this.#all.delete(namespace);
  }
}
