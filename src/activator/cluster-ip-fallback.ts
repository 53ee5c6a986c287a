// The private Service's ClusterIP in place of single pods, for meshes that let nobody talk to a pod
// directly (ACT-88 to ACT-91). Asks that address until it answers; whether it is wanted is the
// pod watcher's decision. The address itself is looked up each time: the Service may be recreated.
// Invariant: at most one probe or one timer, and neither unless wanted. Not hot.

import type { Clock, TimerHandle } from '../clock/clock.ts';
import type { DiscoverySettings } from './discovery-settings.ts';
import { type PodProber, ProbeOutcome } from './pod-probes.ts';

export interface ClusterIpOptions {
  prober: PodProber;
  clock: Clock;
  settings: DiscoverySettings;
  /** `ip:port` of the private Service now; null when it has none. */
  resolve(): string | null;
  /** It answered; `isHealthy` is true from now on. */
  onHealthy(): void;
}

export class ClusterIpFallback {
  readonly #options: ClusterIpOptions;
  #isHealthy = false;
  #asked: string | null = null;
  #probe: { cancel(): void } | null = null;
  #timer: TimerHandle | null = null;

  constructor(options: ClusterIpOptions) {
    this.#options = options;
  }

  /** It answered once and nobody called `forget` since (ACT-89). */
  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** The address now, null when there is none. */
  get dest(): string | null {
    return this.#options.resolve();
  }

  /** Asks now and then every period until it answers or `rest`. Without an address: nothing. */
  seek(): void {
    if (this.#isHealthy || this.#probe !== null || this.#timer !== null) return;
    this.#ask();
  }

  /** Stops asking; an answer given before stands. */
  rest(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#probe?.cancel();
    this.#probe = null;
    this.#letGo();
  }

  /** There are no pods behind it now: it has to answer again before it is used (ACT-91). */
  forget(): void {
    this.#isHealthy = false;
    this.rest();
  }

  #ask(): void {
    const { prober, settings } = this.#options;
    const dest = this.#options.resolve();
    if (dest === null) return;
    if (dest !== this.#asked) this.#letGo();
    this.#asked = dest;
    this.#probe = prober.probe(dest, settings.probeTimeoutMs, (outcome) => {
      this.#probe = null;
      this.#answered(outcome);
    });
  }

  #answered(outcome: ProbeOutcome): void {
    const { clock, settings } = this.#options;
    if (outcome === ProbeOutcome.READY) {
      this.#asked = null;
      this.#isHealthy = true;
      this.#options.onHealthy();
      return;
    }
    this.#timer = clock.setTimer(
      settings.probePeriodMs,
      () => {
        this.#timer = null;
        this.#ask();
      },
      { background: true },
    );
  }

  #letGo(): void {
    if (this.#asked !== null) this.#options.prober.forget(this.#asked);
    this.#asked = null;
  }
}
