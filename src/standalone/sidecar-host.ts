// Hosts queue-proxies inside the data-plane process, one per pod, on request of the root. A sidecar
// that cannot start is reported and leaves nothing behind; ending one twice is harmless.

import type { Clock } from '../clock/clock.ts';
import { QueueProxy } from '../queueproxy/queue-proxy.ts';
import { parseQueueProxySettings } from '../queueproxy/settings.ts';
import { StartTimes } from '../queueproxy/start-times.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { FromDataPlane } from './messages.ts';

export interface SidecarHostDeps {
  clock: Clock;
  logger: Logger;
  random: () => number;
  send(message: FromDataPlane): void;
}

export class SidecarHost {
  readonly #deps: SidecarHostDeps;
  /** By container id; bounded by the pods of one machine. */
  readonly #sidecars = new Map<string, QueueProxy>();
  readonly #startTimes = new StartTimes();

  constructor(deps: SidecarHostDeps) {
    this.#deps = deps;
  }

  async host(id: string, env: Readonly<Record<string, string>>): Promise<void> {
    if (this.#sidecars.has(id)) return this.#deps.send({ type: 'hosted', id });
    try {
      const settings = parseQueueProxySettings(env);
      const startTime = this.#startTimes.of(`${settings.namespace}/${settings.revision}`);
      const sidecar = new QueueProxy(settings, { ...this.#deps, startTime });
      this.#sidecars.set(id, sidecar);
      await sidecar.start();
      this.#deps.send({ type: 'hosted', id });
    } catch (error) {
      await this.#sidecars.get(id)?.close();
      this.#sidecars.delete(id);
      const message = error instanceof Error ? error.message : String(error);
      this.#deps.send({ type: 'hostFailed', id, message });
    }
  }

  /** The pod's app wrote to its output. */
  heard(podUid: string): void {
    for (const [id, sidecar] of this.#sidecars) {
      if (id.startsWith(`${podUid}/`)) sidecar.nudge();
    }
  }

  /** SIGTERM drains (QP-120), SIGKILL closes now. */
  async unhost(id: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const sidecar = this.#sidecars.get(id);
    if (sidecar === undefined) return this.#deps.send({ type: 'unhosted', id });
    if (signal === 'SIGTERM') await sidecar.shutdown();
    else await sidecar.close();
    if (this.#sidecars.delete(id)) this.#deps.send({ type: 'unhosted', id });
  }
}
