// Brings the route table in step with one Ingress of our class and says so in its status (ING-2,
// ING-23, ING-40 to ING-45, ING-82). Level-based: every pass translates what is there now.
// A version whose backends have no address yet does not replace one that serves (ING-104); a first
// version is served anyway, as 503, and becomes Ready with its backends.
// Invariants: Ready is written only after the snapshot with that version is in use; every acquired
// backend is released when the configuration that acquired it is dropped.

import { isReady } from '../api/conditions.ts';
import { Ingress as IngressKind } from '../api/kinds.ts';
import { firstAnnotation, INGRESS_CLASS_ANNOTATIONS } from '../api/labels.ts';
import type { Ingress } from '../api/networking.ts';
import { joinKey, objectKey } from '../api/objects.ts';
import type { Clock } from '../clock/clock.ts';
import { writeStatus } from '../kube/status.ts';
import type { KubeClient, Lister, ReconcileResult, Reconciler } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Backend, BackendRegistry } from './backends.ts';
import type { Certificates } from './certificates.ts';
import { type IngressVerdict, ingressStatus, type LoadBalancerDomains } from './ingress-status.ts';
import type { RouteTable } from './route-table.ts';
import { type IngressConfig, translateIngress } from './translate.ts';

export interface IngressReconcilerDeps {
  client: KubeClient;
  ingresses: Lister<Ingress>;
  table: RouteTable;
  backends: BackendRegistry;
  /** Absent where nothing listens for TLS: then `spec.tls` is not looked at. */
  certificates?: Certificates;
  /** Why backends over TLS cannot be served (ING-34); null = nothing stands against it. */
  tlsProblem?: () => string | null;
  clock: Clock;
  logger: Logger;
  ingressClass: string;
  clusterDomain: string;
  domains: LoadBalancerDomains;
  /** Asks for another pass over an Ingress. */
  enqueue(key: string): void;
}

export class IngressReconciler implements Reconciler {
  readonly #deps: IngressReconcilerDeps;
  /** Versions that wait for a backend and are not in the table; they hold their backends. */
  readonly #pending = new Map<string, IngressConfig>();
  /** Ingresses whose status waits for a backend. */
  readonly #waiting = new Set<string>();
  /** Ingresses refused because of another's host, asked again whenever an Ingress goes. */
  readonly #refused = new Set<string>();

  constructor(deps: IngressReconcilerDeps) {
    this.#deps = deps;
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const verdict = this.load(key);
    const ingress = this.#deps.ingresses.getByKey(key);
    if (verdict === null || ingress === undefined) return undefined;
    await this.#deps.table.published();
    const { client, domains, clock } = this.#deps;
    const status = ingressStatus(ingress, verdict, domains, clock.nowMs());
    await writeStatus(client, IngressKind, ingress, status, clock);
    return undefined;
  }

  /** The part without IO: puts the Ingress into the table. Null when it is not ours to serve. */
  load(key: string): IngressVerdict | null {
    const ingress = this.#deps.ingresses.getByKey(key);
    this.#waiting.delete(key);
    this.#refused.delete(key);
    if (ingress === undefined || !this.#isOurs(ingress)) {
      this.#forget(key);
      return null;
    }
    const config = this.#translate(ingress);
    if (typeof config === 'string') return { kind: 'invalid', message: config };
    const problem = this.#problemOf(config);
    if (problem === null) return this.#place(ingress, config);
    this.#releaseConfig(config);
    return { kind: 'invalid', message: problem };
  }

  /** A Secret came, changed or went: whoever is served with it is looked at again. */
  onSecretChange(secret: string): void {
    for (const ingress of this.#deps.ingresses.list()) {
      const isUsed = ingress.spec.tls?.some(
        ({ secretNamespace, secretName }) => joinKey(secretNamespace, secretName) === secret,
      );
      if (isUsed && this.#isOurs(ingress)) this.#deps.enqueue(objectKey(ingress));
    }
  }

  /** TLS to backends was switched on or off, or can or cannot be spoken now. */
  onBackendTlsChange(): void {
    for (const ingress of this.#deps.ingresses.list()) {
      if (this.#isOurs(ingress)) this.#deps.enqueue(objectKey(ingress));
    }
  }

  /** A backend got its first address: whoever waited for it is looked at again. */
  onBackendReady(backend: Backend): void {
    for (const key of this.#waiting) {
      const config = this.#pending.get(key) ?? this.#deps.table.get(key);
      if (config?.backends.includes(backend)) this.#deps.enqueue(key);
    }
  }

  #problemOf(config: IngressConfig): string | null {
    const { certificates, tlsProblem } = this.#deps;
    const problem = certificates?.problemOf(config.certificates) ?? null;
    if (problem !== null || tlsProblem === undefined) return problem;
    return config.backends.some((backend) => backend.isSecure) ? tlsProblem() : null;
  }

  #isOurs(ingress: Ingress): boolean {
    const ingressClass = firstAnnotation(ingress.metadata.annotations, INGRESS_CLASS_ANNOTATIONS);
    return (
      ingressClass === this.#deps.ingressClass && ingress.metadata.deletionTimestamp === undefined
    );
  }

  /** The configuration, or why there is none. What a failed translation acquired is released. */
  #translate(ingress: Ingress): IngressConfig | string {
    const acquired: Backend[] = [];
    try {
      return translateIngress(ingress, this.#deps.clusterDomain, (...target) => {
        const backend = this.#deps.backends.acquire(...target);
        acquired.push(backend);
        return backend;
      });
    } catch (error) {
      for (const backend of acquired) this.#deps.backends.release(backend);
      const message = error instanceof Error ? error.message : String(error);
      this.#deps.logger.warn({ ingress: objectKey(ingress), error }, 'ingress is not valid');
      return message;
    }
  }

  #place(ingress: Ingress, config: IngressConfig): IngressVerdict {
    const { key } = config;
    const active = this.#deps.table.get(key);
    const isComplete = config.backends.every((backend) => backend.isReady);
    if (active?.hash === config.hash) {
      this.#releaseConfig(config);
      this.#dropPending(key);
      // ING-45: what was Ready does not become unready because pods come and go.
      if (isComplete || isReady(ingress)) return { kind: 'served' };
      this.#waiting.add(key);
      return { kind: 'waiting' };
    }
    if (!isComplete) this.#waiting.add(key);
    if (!isComplete && active !== undefined) {
      this.#dropPending(key);
      this.#pending.set(key, config);
      return { kind: 'waiting' };
    }
    return this.#accept(config, active, isComplete);
  }

  #accept(
    config: IngressConfig,
    active: IngressConfig | undefined,
    isComplete: boolean,
  ): IngressVerdict {
    const { key } = config;
    const conflict = this.#deps.table.accept(config);
    this.#dropPending(key);
    if (conflict !== null) {
      this.#releaseConfig(config);
      this.#waiting.delete(key);
      this.#refused.add(key);
      this.#deps.logger.warn({ ingress: key, host: conflict }, 'host belongs to another ingress');
      return { kind: 'conflict' };
    }
    this.#deps.certificates?.use(key, config.certificates);
    if (active !== undefined) {
      this.#releaseConfig(active);
      this.#askRefused();
    }
    return { kind: isComplete ? 'served' : 'waiting' };
  }

  #forget(key: string): void {
    this.#dropPending(key);
    const removed = this.#deps.table.remove(key);
    if (removed === undefined) return;
    this.#deps.certificates?.use(key, []);
    this.#releaseConfig(removed);
    this.#askRefused();
  }

  /** ING-23: hosts may have become free. */
  #askRefused(): void {
    for (const key of this.#refused) this.#deps.enqueue(key);
  }

  #dropPending(key: string): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#pending.delete(key);
    this.#releaseConfig(pending);
  }

  #releaseConfig(config: IngressConfig): void {
    for (const backend of config.backends) this.#deps.backends.release(backend);
  }
}
