// Wires the controllers of this role (CP-1): one work loop per kind, and for every object that a
// kind looks at a handler that wakes the right keys (CP-10, CP-11). Nothing else lives here.

import type { PodAutoscaler } from '../api/autoscaling.ts';
import type { ConfigMember } from '../api/config/registry.ts';
import type { CoreService, Deployment, Endpoints, Pod } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import {
  ACTIVATOR_SERVICE,
  SERVICE_TYPE_LABEL,
  SERVICE_TYPE_PRIVATE,
  SKS_LABEL,
} from '../api/labels.ts';
import type { Certificate, Ingress, ServerlessService } from '../api/networking.ts';
import { joinKey, type KubeObject, objectKey } from '../api/objects.ts';
import type { Configuration, KnativeService, Revision, Route } from '../api/serving.ts';
import type { Clock } from '../clock/clock.ts';
import { ConfigStore } from '../kube/config-store.ts';
import { Controller } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import { type Leadership, soleLeadership } from '../kube/leadership.ts';
import type { ChangeHandler, InformerFactory, KubeClient, Reconciler } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { IssuedCertificate } from './certmanager/kinds.ts';
import { createCertManagerReconciler, HTTP_DOMAIN_LABEL } from './certmanager/reconciler.ts';
import { createConfigurationReconciler } from './configuration/reconciler.ts';
import type { ControllerContext } from './context.ts';
import { createDomainMappingReconciler } from './domainmapping/reconciler.ts';
import { domainReferenceKey, TRACKED_KINDS } from './domainmapping/reference.ts';
import {
  enqueueChange,
  enqueueFailingPod,
  enqueueObservers,
  enqueueOwner,
  unlessMinor,
} from './event-handlers.ts';
import { RevisionGc } from './gc/reconciler.ts';
import { createIssuerReconciler } from './issuer/reconciler.ts';
import { LabelerReconciler } from './labeler/reconciler.ts';
import { createNamespaceCertificateReconciler } from './namespacecertificate/reconciler.ts';
import type { DigestResolver } from './revision/digest/queue.ts';
import { createRevisionReconciler } from './revision/reconciler.ts';
import { createRouteReconciler, referenceKey } from './route/reconciler.ts';
import { createServerlessServiceReconciler } from './serverlessservice/reconciler.ts';
import { createServiceReconciler } from './service/reconciler.ts';
import { ReferenceTracker } from './tracker.ts';

export interface ControllerRoleOptions {
  client: KubeClient;
  /** Not started by this role: the composer starts it once, after every role has asked. */
  informers: InformerFactory;
  clock: Clock;
  logger: Logger;
  random: () => number;
  systemNamespace: string;
  clusterDomain: string;
  /** Absent = this process is the only controller. */
  leadership?: Leadership;
  /** Absent = images are what the node makes of them; nothing is resolved. */
  digests?: DigestResolver;
  /** Whether the API has Image objects and something that reads them (CP-190). */
  hasImageCaches?: boolean;
  /** How long a Revision rests between two passes, in ms. Default 0. */
  restMs?: number;
  /** Whether the API has cert-manager's kinds and the config asked for TLS at the start (CP-2). */
  hasCertManager?: boolean;
}

export interface ControllerRole {
  /** The live configuration, for whoever shares the process (the webhook). */
  readonly config: ConfigStore;
  stop(): Promise<void>;
}

interface Loop {
  controller: Controller;
  recorder: EventRecorder | null;
}

interface Made {
  reconciler: Reconciler;
  recorder: EventRecorder | null;
}

/** Wires all control loops; they begin to work once every cache they read is filled. */
export function startController(options: ControllerRoleOptions): ControllerRole {
  const wiring = new Wiring(options);
  wiring.wireServices();
  wiring.wireRevisions();
  wiring.wireRoutes();
  wiring.wireServerlessServices();
  wiring.wireDomainMappings();
  wiring.wireCertificates(options.hasCertManager ?? false);
  wiring.start();
  return { config: wiring.config, stop: () => wiring.stop() };
}

class Wiring {
  readonly config: ConfigStore;
  readonly #context: ControllerContext;
  readonly #leadership: Leadership;
  readonly #restMs: number;
  readonly #loops: Loop[] = [];
  readonly #removers: (() => void)[] = [];
  /** Everything read here, the config maps included. */
  readonly #kinds = new Set<kinds.Kind>([kinds.ConfigMap]);

  constructor(options: ControllerRoleOptions) {
    this.config = new ConfigStore(options);
    this.#leadership = options.leadership ?? soleLeadership();
    this.#restMs = options.restMs ?? 0;
    const { digests = null, hasImageCaches = false } = options;
    this.#context = { ...options, config: this.config, digests, hasImageCaches };
  }

  wireServices(): void {
    const services = this.#loop(
      'service',
      kinds.KnativeService,
      createServiceReconciler(this.#context),
    );
    this.#watch<KnativeService>(kinds.KnativeService, enqueueChange(services));
    this.#watch<Configuration>(kinds.Configuration, enqueueOwner(services, 'Service'));
    this.#watch<Route>(kinds.Route, enqueueOwner(services, 'Service'));

    const made = createConfigurationReconciler(this.#context);
    const configurations = this.#loop('configuration', kinds.Configuration, made);
    this.#watch<Configuration>(kinds.Configuration, enqueueChange(configurations));
    const toConfigurations = enqueueOwner<Revision>(configurations, 'Configuration');
    this.#watch<Revision>(kinds.Revision, unlessMinor(toConfigurations));

    const collector = { reconciler: new RevisionGc(this.#context), recorder: null };
    const gc = this.#loop('gc', kinds.Configuration, collector);
    this.#watch<Configuration>(kinds.Configuration, enqueueChange(gc));
    this.#watch<Revision>(kinds.Revision, unlessMinor(enqueueOwner(gc, 'Configuration')));
    this.#resync(gc, kinds.Configuration, ['gc']);
  }

  wireRevisions(): void {
    const tracker = new ReferenceTracker();
    const made = createRevisionReconciler(this.#context, tracker);
    const revisions = this.#loop('revision', kinds.Revision, made, this.#restMs);
    this.#watch<Revision>(kinds.Revision, enqueueChange(revisions));
    // What a wake changes in both only shows in the status; it may wait behind the pod's start.
    const echo = { enqueue: (key: string): void => revisions.enqueueEcho(key) };
    this.#watch<Deployment>(kinds.Deployment, enqueueOwner(echo, 'Revision'));
    this.#watch<PodAutoscaler>(kinds.PodAutoscaler, enqueueOwner(echo, 'Revision'));
    this.#watch<Pod>(kinds.Pod, enqueueFailingPod(revisions));
    const certificateKey = ({ metadata }: KubeObject): string =>
      `Certificate/${joinKey(metadata.namespace, metadata.name)}`;
    this.#watch(kinds.Certificate, enqueueObservers(revisions, tracker, certificateKey));
    this.#kinds.add(kinds.Namespace);
    if (this.#context.hasImageCaches) this.#kinds.add(kinds.Image);
    this.#context.digests?.onSettled((key) => revisions.enqueue(key));
    this.#resync(revisions, kinds.Revision, ['network', 'observability', 'deployment', 'defaults']);
  }

  wireRoutes(): void {
    const tracker = new ReferenceTracker();
    const made = createRouteReconciler(this.#context, tracker);
    const routes = this.#loop('route', kinds.Route, made);
    this.#watch<Route>(kinds.Route, enqueueChange(routes));
    this.#watch<CoreService>(kinds.CoreService, enqueueOwner(routes, 'Route'));
    this.#watch<Ingress>(kinds.Ingress, enqueueOwner(routes, 'Route'));
    this.#watch<Certificate>(kinds.Certificate, enqueueOwner(routes, 'Route'));
    this.#watchReferences(routes, tracker);
    this.#resync(routes, kinds.Route, ['network', 'domain']);

    const labels = new ReferenceTracker();
    const reconciler = new LabelerReconciler(this.#context, made.recorder, labels);
    this.#watch(kinds.Revision, reconciler.routedRevisions.update);
    this.#watch(kinds.Configuration, reconciler.routedConfigurations.update);
    const labeler = this.#loop('labeler', kinds.Route, { reconciler, recorder: null });
    this.#watch<Route>(kinds.Route, enqueueChange(labeler));
    this.#watchReferences(labeler, labels);
  }

  wireServerlessServices(): void {
    const made = createServerlessServiceReconciler(this.#context);
    const controller = this.#loop('serverlessservice', kinds.ServerlessService, made);
    const kind = kinds.ServerlessService;
    this.#watch<ServerlessService>(kind, enqueueChange(controller));
    this.#watch<CoreService>(kinds.CoreService, enqueueOwner(controller, 'ServerlessService'));
    const { systemNamespace, informers } = this.#context;
    const { lister } = informers.informer<ServerlessService>(kind);
    this.#watch<Endpoints>(kinds.Endpoints, (current, previous) => {
      const { metadata } = (current ?? previous)!;
      const sks = metadata.labels?.[SKS_LABEL];
      if (metadata.namespace === systemNamespace && metadata.name === ACTIVATOR_SERVICE) {
        for (const each of lister.list()) controller.enqueue(objectKey(each));
      } else if (sks && metadata.labels?.[SERVICE_TYPE_LABEL] === SERVICE_TYPE_PRIVATE) {
        controller.enqueue(joinKey(metadata.namespace, sks));
      } else if (current === null && sks) {
        controller.enqueue(joinKey(metadata.namespace, sks));
      }
    });
  }

  wireDomainMappings(): void {
    const tracker = new ReferenceTracker();
    const made = createDomainMappingReconciler(this.#context, tracker);
    const mappings = this.#loop('domainmapping', kinds.DomainMapping, made);
    this.#watch(kinds.DomainMapping, enqueueChange(mappings));
    this.#watch<Ingress>(kinds.Ingress, enqueueOwner(mappings, 'DomainMapping'));
    this.#watch<Certificate>(kinds.Certificate, enqueueOwner(mappings, 'DomainMapping'));
    for (const kind of TRACKED_KINDS) {
      const keyOf = ({ metadata }: KubeObject): string =>
        domainReferenceKey(kind, metadata.namespace, metadata.name);
      this.#watch(kind, enqueueObservers(mappings, tracker, keyOf));
    }
    const { lister } = this.#context.informers.informer(kinds.DomainMapping);
    this.#watch(kinds.ClusterDomainClaim, (current, previous) => {
      const { name } = (current ?? previous)!.metadata;
      for (const each of lister.list()) {
        if (each.metadata.name === name) mappings.enqueue(objectKey(each));
      }
    });
    this.#resync(mappings, kinds.DomainMapping, ['network']);
  }

  wireCertificates(hasCertManager: boolean): void {
    const namespaces = this.#loop(
      'namespacecertificate',
      kinds.Namespace,
      createNamespaceCertificateReconciler(this.#context),
    );
    this.#watch(kinds.Namespace, enqueueChange(namespaces));
    this.#watch<Certificate>(kinds.Certificate, enqueueOwner(namespaces, 'Namespace'));
    this.#resync(namespaces, kinds.Namespace, ['network', 'domain']);

    const made = createIssuerReconciler(this.#context);
    const issuer = this.#loop('issuer', kinds.Certificate, made);
    this.#watch(kinds.Certificate, enqueueChange(issuer));
    if (hasCertManager) this.#wireCertManager();
  }

  #wireCertManager(): void {
    const tracker = new ReferenceTracker();
    const made = createCertManagerReconciler(this.#context, tracker);
    const certificates = this.#loop('certificate', kinds.Certificate, made);
    this.#watch(kinds.Certificate, enqueueChange(certificates));
    this.#watch(IssuedCertificate, enqueueOwner(certificates, 'Certificate'));
    const solverKey = ({ metadata }: KubeObject): string =>
      joinKey(metadata.namespace, metadata.labels?.[HTTP_DOMAIN_LABEL] ?? '');
    this.#watch(kinds.CoreService, enqueueObservers(certificates, tracker, solverKey));
    this.#resync(certificates, kinds.Certificate, ['certmanager']);
  }

  /** Half-filled caches would look like missing objects, so nothing runs before all are there. */
  start(): void {
    const synced = [...this.#kinds].map((kind) =>
      this.#context.informers.informer(kind).whenSynced(),
    );
    void Promise.all(synced).then(() => {
      for (const { controller } of this.#loops) controller.start();
      this.#leadership.start();
    });
  }

  async stop(): Promise<void> {
    for (const remove of this.#removers) remove();
    this.config.stop();
    this.#context.digests?.stop();
    await Promise.all(this.#loops.map(({ controller }) => controller.stop()));
    await this.#leadership.stop();
    await Promise.all(this.#loops.map(({ recorder }) => recorder?.stop()));
  }

  /** `kind` is what the keys of the loop are of: all of it is looked at when leadership is gained. */
  #loop(name: string, kind: kinds.Kind, { reconciler, recorder }: Made, restMs = 0): Controller {
    const { clock, logger, random, informers } = this.#context;
    const leadership = this.#leadership;
    const led: Reconciler = {
      reconcile: async (key) =>
        leadership.owns(name, key) ? reconciler.reconcile(key) : undefined,
    };
    const controller = new Controller({ name, reconciler: led, restMs, clock, logger, random });
    const { lister } = informers.informer(kind);
    leadership.join(name, () => {
      for (const object of lister.list()) controller.enqueue(objectKey(object));
    });
    this.#loops.push({ controller, recorder });
    return controller;
  }

  #watch<T extends KubeObject>(kind: kinds.Kind, handler: ChangeHandler<T>): void {
    this.#kinds.add(kind);
    this.#removers.push(this.#context.informers.informer<T>(kind).onChange(handler));
  }

  /** CP-11: a Configuration or Revision wakes whoever refers to it by name, also when it is new. */
  #watchReferences(controller: Controller, tracker: ReferenceTracker): void {
    for (const kind of [kinds.Configuration, kinds.Revision]) {
      const name = kind.kind === 'Revision' ? 'Revision' : 'Configuration';
      const keyOf = ({ metadata }: KubeObject): string =>
        referenceKey(name, metadata.namespace, metadata.name);
      this.#watch(kind, unlessMinor(enqueueObservers(controller, tracker, keyOf)));
    }
  }

  /** CP-10. */
  #resync(controller: Controller, kind: kinds.Kind, members: readonly ConfigMember[]): void {
    const { lister } = this.#context.informers.informer(kind);
    const remove = this.config.onChange((member) => {
      if (!members.includes(member)) return;
      for (const object of lister.list()) controller.enqueue(objectKey(object));
    });
    this.#removers.push(remove);
  }
}
