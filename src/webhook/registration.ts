// Keeps the webhook registered (WH-3, WH-4, WH-11): certificates in their Secret before the old
// ones expire, and the three configurations in step with them. Every replica watches, only the
// leader writes, and a write is conditional on the version that was read, so that two who both
// believe to lead cannot overwrite each other: the later one gets a conflict and looks again.
// Invariant: a pass that changes nothing writes nothing.

import type { Secret } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { OwnerReference } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { Controller } from '../kube/controller.ts';
import { deepEqual } from '../kube/equal.ts';
import type { Leadership } from '../kube/leadership.ts';
import type { InformerFactory, KubeClient, ReconcileResult } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  createCertificates,
  RENEW_BELOW_MS,
  readCertificates,
  SECRET_NAME,
  type ServiceNames,
  usableUntilMs,
  withCertificates,
} from './certificates.ts';
import {
  CONFIGURATIONS,
  type ConfigurationRow,
  desiredConfiguration,
  namespaceOwner,
  type WebhookConfiguration,
} from './configurations.ts';

export interface RegistrationOptions {
  readonly client: KubeClient;
  /** Of the system namespace: Secrets. */
  readonly ownInformers: InformerFactory;
  /** Of the cluster: the configurations. */
  readonly informers: InformerFactory;
  readonly leadership: Leadership;
  readonly names: ServiceNames;
  /** WH-11: whether configurations are owned by the system namespace. */
  readonly isOwnedByNamespace: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

const LOOP = 'registration';
const WORKERS = 1;
const RESYNC_MS = 10 * 60 * 60 * 1000;

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #controller: Controller;
  readonly #stopWatching: (() => void)[] = [];

  constructor(options: RegistrationOptions) {
    const { clock, logger, random, leadership } = options;
    this.#options = options;
    this.#controller = new Controller({
      name: LOOP,
      reconciler: { reconcile: (key) => this.#reconcile(key) },
      workers: WORKERS,
      clock,
      logger,
      random,
    });
    this.#watch();
    leadership.join(LOOP, () => this.#enqueueAll());
  }

  start(): void {
    this.#controller.start();
    this.#enqueueAll();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    await this.#controller.stop();
  }

  #watch(): void {
    const { ownInformers, informers } = this.#options;
    const secrets = ownInformers.informer<Secret>(kinds.Secret);
    this.#stopWatching.push(
      secrets.onChange((now, before) => {
        if ((now ?? before)?.metadata.name === SECRET_NAME) this.#enqueueAll();
      }),
    );
    for (const kind of new Set(CONFIGURATIONS.map((row) => row.kind))) {
      const stop = informers.informer<WebhookConfiguration>(kind).onChange((now, before) => {
        const name = (now ?? before)?.metadata.name ?? '';
        if (CONFIGURATIONS.some((row) => row.name === name)) this.#controller.enqueue(name);
      });
      this.#stopWatching.push(stop);
    }
  }

  #enqueueAll(): void {
    this.#controller.enqueue(SECRET_NAME);
    for (const { name } of CONFIGURATIONS) this.#controller.enqueue(name);
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    if (!this.#options.leadership.owns(LOOP, key)) return undefined;
    if (key === SECRET_NAME) return this.#reconcileCertificates();
    const row = CONFIGURATIONS.find(({ name }) => name === key);
    if (row !== undefined) await this.#reconcileConfiguration(row);
    return { requeueAfterMs: RESYNC_MS };
  }

  async #reconcileCertificates(): Promise<ReconcileResult> {
    const { client, clock, logger, names, ownInformers } = this.#options;
    const { namespace } = names;
    const { lister } = ownInformers.informer<Secret>(kinds.Secret);
    const secret = lister.get(namespace, SECRET_NAME);
    if (secret === undefined) throw new Error(`secret ${namespace}/${SECRET_NAME} does not exist`);
    const nowMs = clock.nowMs();
    const renewAtMs = usableUntilMs(readCertificates(secret), names) - RENEW_BELOW_MS;
    if (renewAtMs > nowMs) return { requeueAfterMs: Math.min(RESYNC_MS, renewAtMs - nowMs) };
    const made = await createCertificates(names, nowMs);
    await client.update<Secret>(kinds.Secret, withCertificates(secret, made));
    logger.info({ object: SECRET_NAME }, 'webhook certificates made');
    return { requeueAfterMs: RESYNC_MS };
  }

  async #reconcileConfiguration(row: ConfigurationRow): Promise<void> {
    const { client, informers, names, ownInformers } = this.#options;
    const { lister } = ownInformers.informer<Secret>(kinds.Secret);
    const set = readCertificates(lister.get(names.namespace, SECRET_NAME));
    // Comes again with the Secret.
    if (set === null) return;
    const current = informers
      .informer<WebhookConfiguration>(row.kind)
      .lister.get(undefined, row.name);
    if (current === undefined) throw new Error(`${row.kind.kind} ${row.name} does not exist`);
    const desired = desiredConfiguration(current, row, set.authority, await this.#owner());
    if (!deepEqual(current, desired)) await client.update(row.kind, desired);
  }

  async #owner(): Promise<OwnerReference | null> {
    const { client, names, isOwnedByNamespace } = this.#options;
    if (!isOwnedByNamespace) return null;
    return namespaceOwner(await client.get(kinds.Namespace, { name: names.namespace }));
  }
}
