// Keeps one throttler and one pod watcher per Revision in step with the API: Revisions say what
// exists and how it may be used, private Endpoints where its pods are, private Services how to
// reach them through a mesh, public Endpoints which activators share it (ACT-42 to ACT-45, ACT-69
// to ACT-72, ACT-77 to ACT-79, ACT-88). Unlike the reference an Endpoints object that comes before
// its Revision is not lost: both sides are read when either appears. Invariant: a watcher exists
// exactly while its throttler and its private Endpoints do. `find` is hot: two map lookups, no
// string built.

import type { CoreService, Endpoints } from '../api/core.ts';
import {
  REVISION_LABEL,
  REVISION_UID_LABEL,
  SERVICE_TYPE_LABEL,
  SERVICE_TYPE_PRIVATE,
  SERVICE_TYPE_PUBLIC,
} from '../api/labels.ts';
import type { Revision } from '../api/serving.ts';
import type { Clock } from '../clock/clock.ts';
import type { Informer } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  type Destinations,
  portNameOf,
  readActivatorAddresses,
  readDestinations,
} from './destinations.ts';
import { DEFAULT_DISCOVERY, type DiscoverySettings } from './discovery-settings.ts';
import { Dispatcher } from './dispatcher.ts';
import type { PodProber } from './pod-probes.ts';
import { type DestinationUpdate, PodWatcher } from './pod-watcher.ts';
import { clusterIpDest, privateServiceHost } from './private-service.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { RevisionThrottler, type UpstreamSource } from './revision-throttler.ts';
import { placeAmong } from './slicing.ts';
import type { ActivatorThreads } from './threads/activator-threads.ts';
import { WakeLog } from './wake-log.ts';

export interface RevisionRegistryDeps {
  revisions: Informer<Revision>;
  endpoints: Informer<Endpoints>;
  services: Informer<CoreService>;
  upstreams: UpstreamSource;
  /** Where requests of a namespace go instead, when they go over TLS (ACT-118). */
  upstreamsOf?: (namespace: string) => UpstreamSource;
  /** Further request threads; absent with one thread. */
  threads?: ActivatorThreads;
  prober: PodProber;
  clock: Clock;
  logger: Logger;
  random: () => number;
  /** How this activator is listed in public Endpoints (ACT-5 POD_IP). */
  ownAddress: string;
  /** Default: the stock settings, mesh mode `auto`. */
  discovery?: DiscoverySettings;
}

interface TrackedRevision {
  readonly uid: string;
  readonly throttler: RevisionThrottler;
  watcher: PodWatcher | null;
}

export class RevisionRegistry {
  readonly #deps: RevisionRegistryDeps;
  readonly #discovery: DiscoverySettings;
  readonly #dispatcher = new Dispatcher();
  /** Namespace, then revision name. */
  readonly #byNamespace = new Map<string, Map<string, TrackedRevision>>();
  readonly #removeHandlers: (() => void)[] = [];

  constructor(deps: RevisionRegistryDeps) {
    this.#deps = deps;
    this.#discovery = deps.discovery ?? DEFAULT_DISCOVERY;
  }

  start(): void {
    const { revisions, endpoints, services } = this.#deps;
    this.#removeHandlers.push(
      revisions.onChange((current, previous) => this.#revisionChanged(current, previous)),
      endpoints.onChange((current, previous) => this.#endpointsChanged(current, previous)),
      services.onChange((current, previous) => this.#serviceChanged(current ?? previous)),
    );
  }

  stop(): void {
    for (const remove of this.#removeHandlers) remove();
    for (const namespace of this.#byNamespace.values()) {
      for (const tracked of namespace.values()) this.#release(tracked);
    }
  }

  find(namespace: string, name: string): RevisionThrottler | null {
    return this.#byNamespace.get(namespace)?.get(name)?.throttler ?? null;
  }

  #revisionChanged(current: Revision | null, previous: Revision | null): void {
    const object = current ?? previous;
    if (object === null) return;
    const { namespace = '', name, uid = '' } = object.metadata;
    const tracked = this.#byNamespace.get(namespace)?.get(name);
    if (current === null) {
      if (tracked !== undefined) this.#forget(namespace, name, tracked);
      return;
    }
    if (tracked !== undefined && tracked.uid === uid) {
      tracked.throttler.update(readRevisionSettings(current));
      return;
    }
    if (tracked !== undefined) this.#forget(namespace, name, tracked);
    this.#track(namespace, name, current);
  }

  #track(namespace: string, name: string, revision: Revision): void {
    const { clock, logger, random, upstreams } = this.#deps;
    const settings = readRevisionSettings(revision);
    const passthroughHost = this.#passthroughHost(namespace, name);
    const { threads } = this.#deps;
    const team = threads?.teamFor(namespace, name, settings, passthroughHost);
    const throttler: RevisionThrottler = new RevisionThrottler(namespace, name, settings, {
      ...(team === undefined ? {} : { team }),
      upstreams: this.#deps.upstreamsOf?.(namespace) ?? upstreams,
      clock,
      random,
      passthroughHost,
      dispatcher: this.#dispatcher,
      wake: new WakeLog(`${namespace}/${name}`, logger, clock),
      onSuspect: (dest) => tracked.watcher?.suspect(dest),
    });
    if (team !== undefined) threads?.attach(team, throttler);
    const tracked: TrackedRevision = {
      uid: revision.metadata.uid ?? '',
      throttler,
      watcher: null,
    };
    let revisions = this.#byNamespace.get(namespace);
    if (revisions === undefined) {
      revisions = new Map();
      this.#byNamespace.set(namespace, revisions);
    }
    revisions.set(name, tracked);
    for (const endpoints of this.#deps.endpoints.lister.byLabel(REVISION_LABEL, name)) {
      if (endpoints.metadata.namespace === namespace) this.#apply(tracked, endpoints);
    }
  }

  /** ACT-44: requests already held keep the detached throttler until they end. */
  #forget(namespace: string, name: string, tracked: TrackedRevision): void {
    const revisions = this.#byNamespace.get(namespace);
    revisions?.delete(name);
    if (revisions?.size === 0) this.#byNamespace.delete(namespace);
    this.#release(tracked);
  }

  #release(tracked: TrackedRevision): void {
    tracked.watcher?.stop();
    tracked.watcher = null;
    tracked.throttler.stop();
  }

  #endpointsChanged(current: Endpoints | null, previous: Endpoints | null): void {
    const object = current ?? previous;
    const name = object?.metadata.labels?.[REVISION_LABEL];
    if (object === null || name === undefined || name === '') return;
    const tracked = this.#byNamespace.get(object.metadata.namespace ?? '')?.get(name);
    if (tracked === undefined) return;
    if (current !== null) {
      this.#apply(tracked, current);
    } else if (isPrivate(object)) {
      // ACT-102: nothing is reported; the revision keeps the pods it has until it goes too.
      tracked.watcher?.stop();
      tracked.watcher = null;
    }
  }

  #apply(tracked: TrackedRevision, endpoints: Endpoints): void {
    const { throttler } = tracked;
    const portName = portNameOf(throttler.settings.protocol);
    if (isPrivate(endpoints)) {
      tracked.watcher ??= this.#createWatcher(throttler);
      this.#podsListed(tracked.watcher, throttler, readDestinations(endpoints, portName));
    } else if (endpoints.metadata.labels?.[SERVICE_TYPE_LABEL] === SERVICE_TYPE_PUBLIC) {
      const addresses = readActivatorAddresses(endpoints, portName);
      const place = placeAmong(addresses, this.#deps.ownAddress);
      if (place !== null) throttler.setPlace(place);
    }
  }

  /** Pods are asked before the wake is noted down. */
  #podsListed(watcher: PodWatcher, { wake }: RevisionThrottler, listed: Destinations): void {
    const isWaking = wake.timeline !== null && listed.ready.size + listed.notReady.size > 0;
    const atMs = isWaking ? this.#deps.clock.preciseNowMs() : 0;
    watcher.update(listed);
    if (isWaking) wake.scheduled(atMs);
  }

  #serviceChanged(service: CoreService | null): void {
    const name = service?.metadata.labels?.[REVISION_LABEL];
    if (service === null || name === undefined || !isPrivate(service)) return;
    const tracked = this.#byNamespace.get(service.metadata.namespace ?? '')?.get(name);
    tracked?.watcher?.serviceChanged();
  }

  #createWatcher(throttler: RevisionThrottler): PodWatcher {
    const { prober, clock, services } = this.#deps;
    const { namespace, name, settings } = throttler;
    const portName = portNameOf(settings.protocol);
    return new PodWatcher({
      prober,
      clock,
      settings: this.#discovery,
      passthroughHost: this.#passthroughHost(namespace, name),
      earlyReady: settings.earlyReady,
      clusterIp: () => clusterIpDest(services.lister, throttler, portName),
      onChange: (update) => this.#destinationsChanged(throttler, update),
      onConnected: () => throttler.wake.started(),
    });
  }

  #destinationsChanged(throttler: RevisionThrottler, update: DestinationUpdate): void {
    const { clusterIp, dests, unproven } = update;
    if (clusterIp === '') {
      throttler.setPods(dests, unproven);
      return;
    }
    throttler.setClusterIp(clusterIp, dests.length);
    this.#deps.logger.debug(
      { revision: `${throttler.namespace}/${throttler.name}`, clusterIp, pods: dests.length },
      'requests go to the ClusterIP, pods cannot be reached one by one',
    );
  }

  #passthroughHost(namespace: string, name: string): string | null {
    return this.#discovery.podAddressability ? privateServiceHost({ namespace, name }) : null;
  }
}

function isPrivate(object: Endpoints | CoreService): boolean {
  const { labels } = object.metadata;
  return (
    labels?.[SERVICE_TYPE_LABEL] === SERVICE_TYPE_PRIVATE &&
    labels[REVISION_UID_LABEL] !== undefined
  );
}
