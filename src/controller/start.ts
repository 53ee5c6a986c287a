// Wires the controllers of this role (CP-1): one work loop per kind, and for every object that a
// kind looks at a handler that wakes the right keys (CP-10, CP-11). Nothing else lives here.

import type { PodAutoscaler } from '../api/autoscaling.ts';
import { findCondition, READY } from '../api/conditions.ts';
import type { ConfigMember } from '../api/config/registry.ts';
import type { CoreService, Deployment, Endpoints, Pod } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import {
  ACTIVATOR_SERVICE,
  REVISION_LABEL,
  SERVICE_TYPE_LABEL,
  SERVICE_TYPE_PRIVATE,
  SKS_LABEL,
} from '../api/labels.ts';
import type { Ingress, ServerlessService } from '../api/networking.ts';
import { controllerOf, joinKey, type KubeObject, objectKey } from '../api/objects.ts';
import type { Configuration, KnativeService, Revision, Route } from '../api/serving.ts';
import type { Clock } from '../clock/clock.ts';
import { Controller } from '../kube/controller.ts';
import { deepEqual } from '../kube/equal.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { ChangeHandler, InformerFactory, KubeClient, Reconciler } from '../kube/types.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ConfigStore } from './config-store.ts';
import { createConfigurationReconciler } from './configuration/reconciler.ts';
import type { ControllerContext } from './context.ts';
import { RevisionGc } from './gc/reconciler.ts';
import { LabelerReconciler } from './labeler/reconciler.ts';
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

/** Wires all control loops; they begin to work once every cache they read is filled. */
export function startController(options: ControllerRoleOptions): ControllerRole {
  const wiring = new Wiring(options);
  wiring.wireServices();
  wiring.wireRevisions();
  wiring.wireRoutes();
  wiring.wireServerlessServices();
  wiring.start();
  return { config: wiring.config, stop: () => wiring.stop() };
}

class Wiring {
  readonly config: ConfigStore;
  readonly #context: ControllerContext;
  readonly #loops: Loop[] = [];
  readonly #removers: (() => void)[] = [];
  /** Everything read here, the config maps included. */
  readonly #kinds = new Set<kinds.Kind>([kinds.ConfigMap]);

  constructor(options: ControllerRoleOptions) {
    this.config = new ConfigStore(options);
    this.#context = { ...options, config: this.config };
  }

  wireServices(): void {
    const services = this.#loop('service', createServiceReconciler(this.#context));
    this.#watch<KnativeService>(kinds.KnativeService, enqueueChange(services));
    this.#watch<Configuration>(kinds.Configuration, enqueueOwner(services, 'Service'));
    this.#watch<Route>(kinds.Route, enqueueOwner(services, 'Service'));

    const made = createConfigurationReconciler(this.#context);
    const configurations = this.#loop('configuration', made);
    this.#watch<Configuration>(kinds.Configuration, enqueueChange(configurations));
    const toConfigurations = enqueueOwner<Revision>(configurations, 'Configuration');
    this.#watch<Revision>(kinds.Revision, unlessMinor(toConfigurations));

    const gc = this.#loop('gc', { reconciler: new RevisionGc(this.#context), recorder: null });
    this.#watch<Configuration>(kinds.Configuration, enqueueChange(gc));
    this.#watch<Revision>(kinds.Revision, unlessMinor(enqueueOwner(gc, 'Configuration')));
    this.#resync(gc, kinds.Configuration, ['gc']);
  }

  wireRevisions(): void {
    const revisions = this.#loop('revision', createRevisionReconciler(this.#context));
    this.#watch<Revision>(kinds.Revision, enqueueChange(revisions));
    this.#watch<Deployment>(kinds.Deployment, enqueueOwner(revisions, 'Revision'));
    this.#watch<PodAutoscaler>(kinds.PodAutoscaler, enqueueOwner(revisions, 'Revision'));
    this.#watch<Pod>(kinds.Pod, enqueueFailingPod(revisions));
    this.#resync(revisions, kinds.Revision, ['network', 'observability', 'deployment', 'defaults']);
  }

  wireRoutes(): void {
    const tracker = new ReferenceTracker();
    const made = createRouteReconciler(this.#context, tracker);
    const routes = this.#loop('route', made);
    this.#watch<Route>(kinds.Route, enqueueChange(routes));
    this.#watch<CoreService>(kinds.CoreService, enqueueOwner(routes, 'Route'));
    this.#watch<Ingress>(kinds.Ingress, enqueueOwner(routes, 'Route'));
    this.#watchReferences(routes, tracker);
    this.#resync(routes, kinds.Route, ['network', 'domain']);

    const labels = new ReferenceTracker();
    const reconciler = new LabelerReconciler(this.#context, made.recorder, labels);
    const labeler = this.#loop('labeler', { reconciler, recorder: null });
    this.#watch<Route>(kinds.Route, enqueueChange(labeler));
    this.#watchReferences(labeler, labels);
  }

  wireServerlessServices(): void {
    const made = createServerlessServiceReconciler(this.#context);
    const controller = this.#loop('serverlessservice', made);
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

  /** Half-filled caches would look like missing objects, so nothing runs before all are there. */
  start(): void {
    const synced = [...this.#kinds].map((kind) =>
      this.#context.informers.informer(kind).whenSynced(),
    );
    void Promise.all(synced).then(() => {
      for (const { controller } of this.#loops) controller.start();
    });
  }

  async stop(): Promise<void> {
    for (const remove of this.#removers) remove();
    this.config.stop();
    await Promise.all(this.#loops.map(({ controller }) => controller.stop()));
    await Promise.all(this.#loops.map(({ recorder }) => recorder?.stop()));
  }

  #loop(
    name: string,
    made: { reconciler: Reconciler; recorder: EventRecorder | null },
  ): Controller {
    const { clock, logger, random } = this.#context;
    const controller = new Controller({ name, reconciler: made.reconciler, clock, logger, random });
    this.#loops.push({ controller, recorder: made.recorder });
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
      const wake: ChangeHandler<KubeObject> = (current, previous) => {
        const { metadata } = (current ?? previous)!;
        const key = referenceKey(name, metadata.namespace, metadata.name);
        for (const observer of tracker.observersOf(key)) controller.enqueue(observer);
      };
      this.#watch<KubeObject>(kind, unlessMinor(wake));
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

/**
 * Drops changes only the user looks at, such as replica counts: they come several times during
 * a wake from zero, and everything that depends on the object would run for nothing.
 */
function unlessMinor<T extends KubeObject>(handler: ChangeHandler<T>): ChangeHandler<T> {
  return (current, previous) => {
    if (current !== null && previous !== null && deepEqual(outline(current), outline(previous))) {
      return;
    }
    handler(current, previous);
  };
}

function outline(object: KubeObject & { status?: Configuration['status'] }): unknown[] {
  const { uid, generation, deletionTimestamp, labels, annotations } = object.metadata;
  const { observedGeneration, latestCreatedRevisionName, latestReadyRevisionName } =
    object.status ?? {};
  return [
    [uid, generation, deletionTimestamp, labels, annotations],
    [observedGeneration, latestCreatedRevisionName, latestReadyRevisionName],
    findCondition(object, READY),
  ];
}

function enqueueChange<T extends KubeObject>(controller: Controller): ChangeHandler<T> {
  return (current, previous) => controller.enqueue(objectKey((current ?? previous)!));
}

function enqueueOwner<T extends KubeObject>(
  controller: Controller,
  ownerKind: string,
): ChangeHandler<T> {
  return (current, previous) => {
    const child = (current ?? previous)!;
    const owner = controllerOf(child);
    if (owner?.kind === ownerKind)
      controller.enqueue(joinKey(child.metadata.namespace, owner.name));
  };
}

/** Pods come and go often; what matters is when a container not ready says why (CP-185). */
function enqueueFailingPod(controller: Controller): ChangeHandler<Pod> {
  return (current, previous) => {
    const revision = current?.metadata.labels?.[REVISION_LABEL];
    if (current === null || !revision) return;
    const states = failures(current);
    if (states.length === 0 || deepEqual(states, failures(previous))) return;
    controller.enqueue(joinKey(current.metadata.namespace, revision));
  };
}

/** A container waits like this on its normal way up. */
const STARTING_REASONS = new Set(['', 'ContainerCreating', 'PodInitializing']);

function failures(pod: Pod | null): unknown[] {
  const scheduled = pod?.status?.conditions?.filter(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  const containers = (pod?.status?.containerStatuses ?? [])
    .filter(({ ready, state, lastState }) => {
      const isStuck = state?.waiting && !STARTING_REASONS.has(state.waiting.reason ?? '');
      return !ready && (isStuck || state?.terminated || lastState?.terminated);
    })
    .map(({ name, state, lastState }) => [name, state?.waiting, state?.terminated, lastState]);
  return [...(scheduled ?? []), ...containers];
}
