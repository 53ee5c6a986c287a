// The config maps the autoscaler lives by (AS-11): a valid change replaces the value and is
// announced, an invalid one is logged and the last good value stays. A missing map means defaults.

import {
  AUTOSCALER_CONFIG_NAME,
  type AutoscalerConfig,
  parseAutoscalerConfig,
} from '../api/config/autoscaler.ts';
import type { ConfigMap } from '../api/core.ts';
import { formatDurationMs, tryParseDurationMs } from '../api/duration.ts';
import * as kinds from '../api/kinds.ts';
import type { Informer, InformerFactory } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MeshSettings } from './scraper.ts';

const DEPLOYMENT_CONFIG_NAME = 'config-deployment';
const NETWORK_CONFIG_NAME = 'config-network';
const DEFAULT_PROGRESS_DEADLINE_MS = 600_000;
const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

type Data = Readonly<Record<string, string>> | undefined;

export interface ConfigWatchOptions {
  informers: InformerFactory;
  logger: Logger;
  systemNamespace: string;
}

export class ConfigWatch {
  readonly #logger: Logger;
  readonly #systemNamespace: string;
  readonly #informer: Informer<ConfigMap>;
  readonly #stopWatching: () => void;
  #autoscaler: AutoscalerConfig = parseAutoscalerConfig(undefined);
  #progressDeadlineMs = DEFAULT_PROGRESS_DEADLINE_MS;
  #onChange: () => void = () => undefined;

  constructor(options: ConfigWatchOptions) {
    this.#logger = options.logger;
    this.#systemNamespace = options.systemNamespace;
    this.#informer = options.informers.informer<ConfigMap>(kinds.ConfigMap);
    this.#stopWatching = this.#informer.onChange((current, previous) => {
      const map = current ?? previous;
      if (map?.metadata.namespace === this.#systemNamespace) {
        this.#apply(map.metadata.name, current?.data);
      }
    });
  }

  get autoscaler(): AutoscalerConfig {
    return this.#autoscaler;
  }

  /** `progress-deadline` of config-deployment (AS-49). */
  get progressDeadlineMs(): number {
    return this.#progressDeadlineMs;
  }

  /** AS-11, AS-66: read once at start-up, after the caches are filled. */
  readMesh(): MeshSettings {
    const map = this.#informer.lister.get(this.#systemNamespace, NETWORK_CONFIG_NAME);
    const mode = map?.data?.['mesh-compatibility-mode']?.toLowerCase();
    return {
      mode: mode === 'enabled' || mode === 'disabled' ? mode : 'auto',
      podAddressability: TRUE_WORDS.has(map?.data?.['enable-mesh-pod-addressability'] ?? ''),
    };
  }

  /** Called after every valid change. */
  onChange(handler: () => void): void {
    this.#onChange = handler;
  }

  stop(): void {
    this.#stopWatching();
    this.#onChange = () => undefined;
  }

  #apply(name: string, data: Data): void {
    try {
      if (name === AUTOSCALER_CONFIG_NAME) this.#autoscaler = parseAutoscalerConfig(data);
      else if (name === DEPLOYMENT_CONFIG_NAME) this.#progressDeadlineMs = readDeadline(data);
      else return;
    } catch (error) {
      this.#logger.error({ error, configMap: name }, 'invalid config map, keeping the last one');
      return;
    }
    this.#onChange();
  }
}

function readDeadline(data: Data): number {
  const text = data?.['progress-deadline'] ?? data?.progressDeadline;
  if (text === undefined) return DEFAULT_PROGRESS_DEADLINE_MS;
  const ms = tryParseDurationMs(text);
  if (ms === undefined) throw new Error(`failed to parse "progress-deadline": ${text}`);
  if (ms > 0) return ms;
  const shown = formatDurationMs(ms);
  throw new Error(`progress-deadline cannot be a non-positive duration, was ${shown}`);
}
