// Pods and ClusterIPs as the pod watcher sees them: a prober whose answers the test gives by hand,
// and a watcher on a fake clock whose updates are collected.

import { FakeClock } from '../../clock/fake-clock.ts';
import { DEFAULT_DISCOVERY, type DiscoverySettings } from '../discovery-settings.ts';
import type { PodProber, ProbeOutcome } from '../pod-probes.ts';
import { PodWatcher } from '../pod-watcher.ts';

export class FakeProber implements PodProber {
  /** Probes under way. */
  readonly open = new Map<string, (outcome: ProbeOutcome) => void>();
  readonly asked: string[] = [];
  readonly hosts: (string | null)[] = [];
  readonly forgotten: string[] = [];

  probe(
    dest: string,
    _timeoutMs: number,
    done: (outcome: ProbeOutcome) => void,
    passthroughHost: string | null = null,
  ) {
    this.asked.push(dest);
    this.hosts.push(passthroughHost);
    this.open.set(dest, done);
    return { cancel: () => this.open.delete(dest) };
  }

  forget(dest: string): void {
    this.forgotten.push(dest);
  }

  answer(dest: string, outcome: ProbeOutcome): void {
    const done = this.open.get(dest);
    this.open.delete(dest);
    done?.(outcome);
  }
}

export interface WatchOptions extends Partial<DiscoverySettings> {
  earlyReady?: boolean;
  passthroughHost?: string | null;
  /** What the private Service's address is; may be changed by the test. */
  service?: { dest: string | null };
}

export function watch(options: WatchOptions = {}) {
  const { earlyReady = true, passthroughHost = null, service, ...settings } = options;
  const clock = new FakeClock();
  const prober = new FakeProber();
  /** Dests joined; updates for a ClusterIP as `ip <- dests`. */
  const emitted: string[] = [];
  const watcher = new PodWatcher({
    clock,
    prober,
    earlyReady,
    passthroughHost,
    settings: { ...DEFAULT_DISCOVERY, ...settings },
    clusterIp: () => service?.dest ?? null,
    onChange: ({ clusterIp, dests }) => {
      const pods = dests.join(' ');
      emitted.push(clusterIp === '' ? pods : `${clusterIp} <- ${pods}`);
    },
  });
  const update = (ready: string[], notReady: string[] = []) =>
    watcher.update({ ready: new Set(ready), notReady: new Set(notReady) });
  return { clock, prober, emitted, watcher, update };
}
