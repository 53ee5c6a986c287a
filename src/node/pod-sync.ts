// Sends what the agent knows about one pod to the API: one request at a time, always the newest
// state, nothing when nothing changed. A pod that is gone ends the matter; any other failure is
// tried again for as long as the pod lives here.

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
  #sent = '';
  #wanted: PodReport | null = null;
  #isSending = false;
  #isClosed = false;

  constructor(pod: Pod, deps: { client: KubeClient; clock: Clock; logger: Logger }) {
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
