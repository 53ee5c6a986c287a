// Service -> one Configuration and one Route of the same name (CP-120 to CP-129). The order of
// steps is part of the contract: a Route is not moved before the Configuration has observed a
// change that names its Revision, and not at all while that name is taken.

import { CONDITION_SETS, findCondition, READY } from '../../api/conditions.ts';
import type { ServingConfig } from '../../api/config/registry.ts';
import { defaultTemplate, defaultTrafficTargets } from '../../api/defaulting.ts';
import * as kinds from '../../api/kinds.ts';
import type { Configuration, KnativeService, Revision, Route } from '../../api/serving.ts';
import { deepEqual } from '../../kube/equal.ts';
import { EventRecorder } from '../../kube/events.ts';
import { messageOf, type OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, Reconciler } from '../../kube/types.ts';
import { createOrGet, isControlledBy } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { type Pass, StatusPipeline, wrapError } from '../pipeline.ts';
import { makeConfiguration } from './resources/configuration.ts';
import { makeRoute } from './resources/route.ts';
import { isNameTaken, isTrafficMigrated } from './traffic-check.ts';

type OwnService = OwnCopy<KnativeService>;
type ChildKind = 'Configuration' | 'Route';

export class ServiceReconciler {
  readonly #context: ControllerContext;
  readonly #configurations: Lister<Configuration>;
  readonly #routes: Lister<Route>;
  readonly #revisions: Lister<Revision>;
  readonly #recorder: EventRecorder;

  constructor(context: ControllerContext, recorder: EventRecorder) {
    const { informers } = context;
    this.#context = context;
    this.#recorder = recorder;
    this.#configurations = informers.informer<Configuration>(kinds.Configuration).lister;
    this.#routes = informers.informer<Route>(kinds.Route).lister;
    this.#revisions = informers.informer<Revision>(kinds.Revision).lister;
  }

  /** CP-123. */
  async reconcileKind(service: OwnService, pass: Pass): Promise<undefined> {
    const configuration = await this.#reconcileConfiguration(service, pass);
    if (configuration.metadata.generation !== configuration.status?.observedGeneration) {
      pass.conditions.markUnknown(
        'ConfigurationsReady',
        'OutOfDate',
        'The Configuration is still working to reflect the latest desired specification.',
      );
      if (service.spec.template.metadata?.name) return;
    } else {
      propagateConfiguration(service, configuration, pass);
    }
    if (this.#markNameTaken(service, configuration, pass)) return;

    const route = await this.#reconcileRoute(service, pass);
    if (route.metadata.generation !== route.status?.observedGeneration) {
      pass.conditions.markUnknown(
        'RoutesReady',
        'OutOfDate',
        'The Route is still working to reflect the latest desired specification.',
      );
      return;
    }
    propagateRoute(service, route, pass);
    if (pass.conditions.get('RoutesReady')?.status !== 'True') return;
    if (!isTrafficMigrated(route, configuration)) {
      pass.conditions.markUnknown(
        'RoutesReady',
        'TrafficNotMigrated',
        'Traffic is not yet migrated to the latest revision.',
      );
    }
  }

  async #reconcileConfiguration(service: OwnService, pass: Pass): Promise<Configuration> {
    const { namespace, name } = service.metadata;
    let live = this.#configurations.get(namespace, name);
    if (live === undefined) {
      const desired = makeConfiguration(service, undefined);
      live = await this.#create(service, kinds.Configuration, desired, 'Configuration');
    }
    this.#requireOwned(service, live, 'Configuration', 'ConfigurationsReady', pass);
    const desired = makeConfiguration(service, live);
    if (isSameConfiguration(live, desired, pass.config)) return live;
    return this.#update(kinds.Configuration, live, desired, 'Configuration');
  }

  async #reconcileRoute(service: OwnService, pass: Pass): Promise<Route> {
    const { namespace, name } = service.metadata;
    const desired = makeRoute(service);
    let live = this.#routes.get(namespace, name);
    if (live === undefined) {
      live = await this.#create(service, kinds.Route, desired, 'Route');
    }
    this.#requireOwned(service, live, 'Route', 'RoutesReady', pass);
    if (isSameRoute(live, desired)) return live;
    return this.#update(kinds.Route, live, desired, 'Route');
  }

  async #create<T extends Configuration | Route>(
    service: OwnService,
    kind: kinds.Kind,
    desired: T,
    what: ChildKind,
  ): Promise<T> {
    try {
      const { object, created } = await createOrGet(this.#context.client, kind, desired);
      if (created)
        this.#recorder.normal(service, 'Created', `Created ${what} "${desired.metadata.name}"`);
      return object;
    } catch (error) {
      const text = `Failed to create ${what} "${desired.metadata.name}": ${messageOf(error)}`;
      this.#recorder.warning(service, 'CreationFailed', text);
      throw wrapError(`failed to create ${what}`, error);
    }
  }

  /** CP-124: spec, labels and annotations become the desired ones, other metadata stays. */
  async #update<T extends Configuration | Route>(
    kind: kinds.Kind,
    live: T,
    desired: T,
    what: ChildKind,
  ): Promise<T> {
    const { labels, annotations, ...kept } = live.metadata;
    const metadata = {
      ...kept,
      ...(desired.metadata.labels === undefined ? {} : { labels: desired.metadata.labels }),
      ...(desired.metadata.annotations === undefined
        ? {}
        : { annotations: desired.metadata.annotations }),
    };
    try {
      return await this.#context.client.update(kind, { ...live, metadata, spec: desired.spec });
    } catch (error) {
      throw wrapError(`failed to reconcile ${what}`, error);
    }
  }

  /** CP-125. */
  #requireOwned(
    service: OwnService,
    child: Configuration | Route,
    what: ChildKind,
    condition: string,
    pass: Pass,
  ): void {
    if (isControlledBy(child, service)) return;
    const name = child.metadata.name;
    const message = `There is an existing ${what} "${name}" that we do not own.`;
    pass.conditions.markFalse(condition, 'NotOwned', message);
    throw new Error(
      `service: "${service.metadata.name}" does not own ${what.toLowerCase()}: "${name}"`,
    );
  }

  /** CP-127. */
  #markNameTaken(service: OwnService, configuration: Configuration, pass: Pass): boolean {
    const name = service.spec.template.metadata?.name;
    if (!name) return false;
    const revision = this.#revisions.get(service.metadata.namespace, name);
    if (revision === undefined || !isNameTaken(revision, configuration)) return false;
    pass.conditions.markFalse(
      'RoutesReady',
      'RevisionNameTaken',
      `The revision name "${name}" is taken by a conflicting Revision, so traffic will not be migrated`,
    );
    return true;
  }
}

/** CP-126. */
function propagateConfiguration(
  service: OwnService,
  configuration: Configuration,
  pass: Pass,
): void {
  const { latestReadyRevisionName, latestCreatedRevisionName } = configuration.status ?? {};
  assignOrDelete(service.status, 'latestReadyRevisionName', latestReadyRevisionName);
  assignOrDelete(service.status, 'latestCreatedRevisionName', latestCreatedRevisionName);
  const ready = findCondition(configuration, READY);
  if (ready !== undefined) pass.conditions.mirror('ConfigurationsReady', ready);
}

/** CP-128. */
function propagateRoute(service: OwnService, route: Route, pass: Pass): void {
  assignOrDelete(service.status, 'url', route.status?.url);
  assignOrDelete(service.status, 'address', route.status?.address);
  assignOrDelete(service.status, 'traffic', route.status?.traffic);
  const ready = findCondition(route, READY);
  if (ready !== undefined) pass.conditions.mirror('RoutesReady', ready);
}

function assignOrDelete<T extends object, K extends keyof T>(
  target: T,
  key: K,
  value: T[K] | undefined,
): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

/** Compares after defaulting both sides, so that a new default is no reason to write (CP-124). */
function isSameConfiguration(
  live: Configuration,
  desired: Configuration,
  config: ServingConfig,
): boolean {
  return (
    isSameMetadata(live, desired) &&
    (deepEqual(live.spec, desired.spec) ||
      deepEqual(defaultedSpec(live, config), defaultedSpec(desired, config)))
  );
}

function defaultedSpec(configuration: Configuration, config: ServingConfig): unknown {
  const spec = structuredClone(configuration.spec);
  defaultTemplate(spec.template, config, { parent: configuration.metadata, isCreate: true });
  if (Object.keys(spec.template.metadata ?? {}).length === 0) delete spec.template.metadata;
  return spec;
}

function isSameRoute(live: Route, desired: Route): boolean {
  return (
    isSameMetadata(live, desired) && deepEqual(defaultedTraffic(live), defaultedTraffic(desired))
  );
}

function defaultedTraffic(route: Route): unknown {
  const traffic = structuredClone(route.spec.traffic ?? []);
  defaultTrafficTargets(traffic);
  return traffic;
}

function isSameMetadata(live: Configuration | Route, desired: Configuration | Route): boolean {
  return (
    deepEqual(live.metadata.labels ?? {}, desired.metadata.labels ?? {}) &&
    deepEqual(live.metadata.annotations ?? {}, desired.metadata.annotations ?? {})
  );
}

export function createServiceReconciler(context: ControllerContext): {
  reconciler: Reconciler;
  recorder: EventRecorder;
} {
  const recorder = new EventRecorder({ ...context, component: 'service-controller' });
  const kind = new ServiceReconciler(context, recorder);
  const reconciler = new StatusPipeline<KnativeService>(context, {
    kind: kinds.KnativeService,
    conditionSet: CONDITION_SETS.Service,
    lister: context.informers.informer<KnativeService>(kinds.KnativeService).lister,
    recorder,
    reconcileKind: (service, pass) => kind.reconcileKind(service, pass),
  });
  return { reconciler, recorder };
}
