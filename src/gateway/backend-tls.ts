// TLS from the gateway to activators and sidecars (ING-34): on while `system-internal-tls` of
// config-network is, which is followed while running. Trusts `ca.crt` of the system namespace's
// serving Secret and its trust bundles; a server proves that it is the activator or serves the
// namespace. With nobody to trust nothing is dialled in vain: Ingresses say why they are not ready.
// Secrets are watched only while it is on. Not hot: pools are made when addresses appear.

import { parseNetworkConfig } from '../api/config/network.ts';
import type { ConfigMap } from '../api/core.ts';
import { ConfigMap as ConfigMapKind } from '../api/kinds.ts';
import { TRUST_BUNDLE_LABEL } from '../api/labels.ts';
import { InternalTls, SERVING_CERTS_SECRET } from '../kube/internal-tls.ts';
import type { Informer, InformerFactory } from '../kube/types.ts';
import { createUpstreamTls, TrustPool } from '../proxy/upstream-tls.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Transport, transportOver } from './transports.ts';

const CONFIG_NAME = 'config-network';
const ACTIVATOR_SAN = 'kn-routing';
const USER_SAN_PREFIX = 'kn-user-';

export interface BackendTlsDeps {
  readonly informers: InformerFactory;
  readonly logger: Logger;
  readonly systemNamespace: string;
  /** It was switched on or off, or whether there is anybody to trust has changed. */
  readonly onChange: () => void;
}

export class BackendTls {
  readonly #deps: BackendTlsDeps;
  readonly #configMaps: Informer<ConfigMap>;
  readonly #trust = new TrustPool();
  /** Null = off. */
  #internal: InternalTls | null = null;
  #starting: Promise<void> = Promise.resolve();
  #removeHandler: () => void = () => undefined;

  constructor(deps: BackendTlsDeps) {
    this.#deps = deps;
    this.#configMaps = deps.informers.informer<ConfigMap>(ConfigMapKind);
  }

  /** Resolves when what is configured now is in force. */
  async start(): Promise<void> {
    await this.#configMaps.whenSynced();
    this.#removeHandler = this.#configMaps.onChange((current, previous) => {
      const { namespace, name } = (current ?? previous)!.metadata;
      if (namespace === this.#deps.systemNamespace && name === CONFIG_NAME) this.#apply(current);
    });
    await this.#starting;
  }

  stop(): void {
    this.#removeHandler();
    this.#internal?.stop();
  }

  /** How to speak to the Service of a namespace inside the system; null = TLS is off. */
  transportFor(namespace: string): Transport | null {
    if (this.#internal === null) return null;
    const oneOf = [ACTIVATOR_SAN, USER_SAN_PREFIX + namespace.toLowerCase()];
    return transportOver(createUpstreamTls(this.#trust, { serverName: null, oneOf }));
  }

  /** Why no backend can be spoken to over TLS; null = nothing stands against it. */
  get problem(): string | null {
    if (this.#trust.size > 0) return null;
    const { systemNamespace } = this.#deps;
    return (
      `system-internal-tls: there is no CA to trust: Secret ${systemNamespace}/` +
      `${SERVING_CERTS_SECRET} has no certificate in ca.crt, and no ConfigMap with label ` +
      `${TRUST_BUNDLE_LABEL} has one`
    );
  }

  /** A bad map changes nothing; without a map it is off. */
  #apply(map: ConfigMap | null): void {
    const parsed = parseNetworkConfig(map?.data);
    if (!parsed.ok || parsed.value.systemInternalTls === (this.#internal !== null)) return;
    if (parsed.value.systemInternalTls) this.#switchOn();
    else {
      this.#internal?.stop();
      this.#internal = null;
      this.#useTrust([]);
    }
    this.#deps.onChange();
  }

  #switchOn(): void {
    const internal = new InternalTls(
      {
        onTrust: (certificates) => {
          if (this.#internal === internal) this.#useTrust(certificates);
        },
      },
      this.#deps,
    );
    this.#internal = internal;
    this.#starting = internal.start();
    this.#starting.catch((error: unknown) =>
      this.#deps.logger.error({ error }, 'trusted certificates cannot be watched'),
    );
  }

  #useTrust(certificates: readonly string[]): void {
    const hadAny = this.#trust.size > 0;
    try {
      this.#trust.use(certificates);
    } catch (error) {
      this.#deps.logger.error({ error }, 'trusted certificates not usable');
    }
    if (this.#trust.size > 0 !== hadAny) this.#deps.onChange();
  }
}
