// Knows where requests of one revision can be sent (section 5 of ACT). Kubernetes says which pods
// exist; whether one answers is found out by asking it, and a pod that leaves the list stops
// counting at once. Where a mesh stands between us and the pods the ClusterIP takes their place.
// Invariants: healthy is a subset of ready and notReady together; once the ClusterIP has been
// chosen, single pods are never used again (ACT-91). Not hot, but it is on the wake path.

import type { Clock } from '../clock/clock.ts';
import { ClusterIpFallback } from './cluster-ip-fallback.ts';
import { type Destinations, NO_DESTINATIONS } from './destinations.ts';
import { type DiscoverySettings, mayUseClusterIp } from './discovery-settings.ts';
import { type PodProber, PodProbes } from './pod-probes.ts';

/** ACT-62. */
export interface DestinationUpdate {
  /** `ip:port` to send everything to; '' = to single pods. */
  readonly clusterIp: string;
  /** Sorted. Pods to use, or those that are behind the ClusterIP. */
  readonly dests: readonly string[];
  /** Listed pods that were used before and have to prove themselves again. */
  readonly unproven: readonly string[];
}

export interface PodWatcherOptions {
  prober: PodProber;
  clock: Clock;
  settings: DiscoverySettings;
  /** ACT-94: a pod may be used as soon as it answers, before Kubernetes calls it ready. */
  earlyReady: boolean;
  /** ACT-95; null without pod addressability. */
  passthroughHost: string | null;
  /** ACT-88: `ip:port` of the private Service now; null when it has none. */
  clusterIp(): string | null;
  /** Receives the whole new state, whenever it changed. */
  onChange(update: DestinationUpdate): void;
  /** A pod took a connection, whatever it answers then. */
  onConnected?(): void;
}

export class PodWatcher {
  readonly #options: PodWatcherOptions;
  readonly #healthy = new Set<string>();
  /** Listed, not healthy any more. */
  readonly #unproven = new Set<string>();
  readonly #probes: PodProbes;
  readonly #fallback: ClusterIpFallback;
  /** ACT-81; in mode `enabled` nobody ever tries. */
  #podsAddressable: boolean;
  #current: Destinations = NO_DESTINATIONS;
  #stopped = false;

  constructor(options: PodWatcherOptions) {
    const { prober, clock, settings, passthroughHost } = options;
    this.#options = options;
    this.#podsAddressable = settings.meshMode !== 'enabled';
    this.#probes = new PodProbes({
      prober,
      clock,
      settings,
      passthroughHost,
      onReady: (dest) => this.#answered(dest),
      onFailed: () => this.#reviewFallback(),
      onConnected: () => options.onConnected?.(),
    });
    this.#fallback = new ClusterIpFallback({
      prober,
      clock,
      settings,
      resolve: options.clusterIp,
      onHealthy: () => this.#chooseClusterIp(),
    });
  }

  get healthy(): ReadonlySet<string> {
    return this.#healthy;
  }

  /** A new state of the Endpoints. Every address not yet healthy is asked at once. */
  update(next: Destinations): void {
    if (this.#stopped) return;
    const previous = this.#current;
    this.#current = next;
    if (this.#podsAddressable) this.#updatePods(previous, next);
    else if (this.#fallback.isHealthy) this.#emitClusterIp();
    this.#reviewFallback();
  }

  /** The private Service changed, so its address may have. */
  serviceChanged(): void {
    if (this.#stopped) return;
    if (this.#fallback.isHealthy) this.#emitClusterIp();
    else this.#reviewFallback();
  }

  /**
   * A request could not be handed to this pod: it stops counting until it answers a probe. Goes
   * beyond ACT-113 so that a request which was never sent can wait for a pod instead of failing.
   */
  suspect(dest: string): void {
    if (this.#stopped || !this.#healthy.delete(dest)) return;
    this.#unproven.add(dest);
    this.#emitPods();
    this.#probes.ask(dest);
  }

  /** Forgets everything without reporting (ACT-102). */
  stop(): void {
    this.#stopped = true;
    this.#probes.stop();
    this.#fallback.forget();
  }

  #updatePods(previous: Destinations, next: Destinations): void {
    let changed = false;
    for (const dest of this.#healthy) {
      const moved = previous.ready.has(dest) && next.notReady.has(dest);
      // ACT-85: a pod that Kubernetes stopped calling ready has to prove itself again.
      if (moved) this.#unproven.add(dest);
      if (moved || !this.#isListed(dest)) changed = this.#healthy.delete(dest) || changed;
    }
    for (const dest of this.#unproven) {
      if (!this.#isListed(dest)) changed = this.#unproven.delete(dest) || changed;
    }
    // ACT-93, step 2: without a mesh there is nothing to find out about a ready pod.
    if (this.#options.settings.meshMode === 'disabled') {
      for (const dest of next.ready) {
        changed ||= !this.#healthy.has(dest);
        this.#setHealthy(dest);
      }
    }
    this.#probes.prune((dest) => this.#mayUse(dest) && !this.#healthy.has(dest));
    if (changed) this.#emitPods();
    for (const dest of next.ready) this.#ask(dest);
    for (const dest of next.notReady) this.#ask(dest);
  }

  #isListed(dest: string): boolean {
    return this.#current.ready.has(dest) || this.#current.notReady.has(dest);
  }

  #mayUse(dest: string): boolean {
    return (
      this.#current.ready.has(dest) ||
      (this.#options.earlyReady && this.#current.notReady.has(dest))
    );
  }

  #ask(dest: string): void {
    if (!this.#healthy.has(dest) && this.#mayUse(dest)) this.#probes.ask(dest);
  }

  #setHealthy(dest: string): void {
    this.#healthy.add(dest);
    this.#unproven.delete(dest);
  }

  #answered(dest: string): void {
    this.#setHealthy(dest);
    this.#emitPods();
    this.#reviewFallback();
  }

  /** ACT-85 to ACT-90: asks the ClusterIP while, and only while, it is the only way. */
  #reviewFallback(): void {
    const { ready, notReady } = this.#current;
    if (ready.size + notReady.size === 0) this.#fallback.forget();
    else if (this.#needsClusterIp()) this.#fallback.seek();
    else this.#fallback.rest();
  }

  #needsClusterIp(): boolean {
    if (!mayUseClusterIp(this.#options.settings)) return false;
    if (!this.#podsAddressable) return true;
    return this.#healthy.size === 0 && this.#probes.isBlocked;
  }

  #chooseClusterIp(): void {
    this.#podsAddressable = false;
    this.#probes.stop();
    this.#healthy.clear();
    this.#unproven.clear();
    this.#emitClusterIp();
  }

  #emitClusterIp(): void {
    const { ready, notReady } = this.#current;
    const clusterIp = this.#fallback.dest;
    if (ready.size + notReady.size === 0) this.#emitPods();
    else if (clusterIp !== null) {
      this.#options.onChange({ clusterIp, dests: [...ready].sort(), unproven: [] });
    }
  }

  #emitPods(): void {
    this.#options.onChange({
      clusterIp: '',
      dests: [...this.#healthy].sort(),
      unproven: [...this.#unproven],
    });
  }
}
