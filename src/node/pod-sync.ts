// Sends what the agent knows about one pod to the API: one request at a time, always the newest
// state, nothing when nothing changed. A pod that is gone ends the matter; any other failure is
// tried again for as long as the pod lives here. The first report carries the address and leaves at
// once; later ones may wait a little, so that what follows from them does not take the processor
// from an app that starts or gives its first answer.

import type { Pod, PodStatus } from '../api/core.ts';
import { Pod as PodKind } from '../api/kinds.ts';
import type { Clock } from '../clock/clock.ts';
import type { ObjectName } from '../kube/types.ts';
import { isNotFound, type KubeClient } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { errorMessage } from './runtime.ts';

export interface PodReport {
  annotations: Readonly<Record<string, string>>;
  status: PodStatus;
}

const RETRY_MS = 200;

export class PodSync {
  readonly #key: ObjectName;
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #delayMs: number;
  #sent = '';
  #wanted: PodReport | null = null;
  #isSending = false;
  #isClosed = false;

  /** `reportDelayMs`: how long reports after the first one wait. Default 0. */
  constructor(
    pod: Pod,
    deps: { client: KubeClient; clock: Clock; logger: Logger; reportDelayMs?: number | undefined },
  ) {
    this.#delayMs = deps.reportDelayMs ?? 0;
    this.#key = { namespace: pod.metadata.namespace, name: pod.metadata.name };
    this.#client = deps.client;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
  }

  push(report: PodReport): void {
    this.#wanted = report;
    if (!this.#isSending) void this.#send();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#wanted !== null && !this.#isClosed) {
      if (this.#delayMs > 0 && this.#sent !== '') await this.#clock.sleep(this.#delayMs);
      if (this.#isClosed) break;
      const report = this.#wanted;
      const text = JSON.stringify(report);
      this.#wanted = null;
      if (text === this.#sent) continue;
      if (await this.#patch(report)) this.#sent = text;
      else {
        this.#wanted ??= report;
        await this.#clock.sleep(RETRY_MS);
      }
    }
    this.#isSending = false;
  }

  async #patch(report: PodReport): Promise<boolean> {
    const body = { metadata: { annotations: report.annotations }, status: report.status };
    const patch = { type: 'merge', body } as const;
    try {
      await this.#client.patch(PodKind, this.#key, patch, { subresource: 'status' });
      return true;
    } catch (error) {
      if (isNotFound(error)) {
        this.#isClosed = true;
        return true;
      }
      const fields = { pod: this.#key.name, error: errorMessage(error) };
      this.#logger.warn(fields, 'pod status not written, trying again');
      return false;
    }
  }
}
