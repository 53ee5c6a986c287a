// Marks Revisions and Configurations with the Routes that use them (CP-370 to CP-374): autoscaling
// asks whether a Revision is reachable, garbage collection whether it may go. Writes metadata only,
// never a status. The finalizer lets a deleted Route be taken off everything it named.

import { findCondition, READY } from '../../api/conditions.ts';
import type { Kind } from '../../api/kinds.ts';
import * as kinds from '../../api/kinds.ts';
import { LABELER_FINALIZER, ROUTING_STATE_ACTIVE, ROUTING_STATE_LABEL } from '../../api/labels.ts';
import type { Configuration, Revision, Route } from '../../api/serving.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { isNotFound, type Lister, type Reconciler } from '../../kube/types.ts';
import { type ControllerContext, timestamp } from '../context.ts';
import { addFinalizer, hasFinalizer, removeFinalizer } from '../finalizers.ts';
import { wrapError } from '../pipeline.ts';
import { referenceKey } from '../route/reconciler.ts';
import type { ReferenceTracker } from '../tracker.ts';
import { type RoutedNames, routedNames, routesPatch } from './plan.ts';
import { RoutedIndex } from './routed-index.ts';

const NOTHING: RoutedNames = { revisions: new Set(), configurations: new Set() };

export class LabelerReconciler implements Reconciler {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #tracker: ReferenceTracker;
  readonly #routes: Lister<Route>;
  readonly #configurations: Lister<Configuration>;
  readonly #revisions: Lister<Revision>;
  /** To be fed with the changes of the two kinds. */
  readonly routedRevisions = new RoutedIndex();
  readonly routedConfigurations = new RoutedIndex();

  constructor(context: ControllerContext, recorder: EventRecorder, tracker: ReferenceTracker) {
    const { informers } = context;
    this.#context = context;
    this.#recorder = recorder;
    this.#tracker = tracker;
    this.#routes = informers.informer<Route>(kinds.Route).lister;
    this.#configurations = informers.informer<Configuration>(kinds.Configuration).lister;
    this.#revisions = informers.informer<Revision>(kinds.Revision).lister;
  }

  async reconcile(key: string): Promise<undefined> {
    const route = this.#routes.getByKey(key);
    if (route === undefined) {
      this.#tracker.forget(key);
      return;
    }
    const deps = { client: this.#context.client, recorder: this.#recorder };
    const isHeld = hasFinalizer(route, LABELER_FINALIZER);
    if (route.metadata.deletionTimestamp !== undefined) {
      if (!isHeld) return;
      await this.#clear(route, NOTHING);
      await removeFinalizer(deps, kinds.Route, route, LABELER_FINALIZER);
      return;
    }
    if (!isHeld) await addFinalizer(deps, kinds.Route, route, LABELER_FINALIZER);
    await this.#label(key, route);
  }

  /** CP-371. */
  async #label(key: string, route: Route): Promise<void> {
    const { namespace } = route.metadata;
    const routed = routedNames(route, {
      configurations: this.#configurations,
      revisions: this.#revisions,
    });
    this.#tracker.track(key, [
      ...[...routed.configurations].map((name) => referenceKey('Configuration', namespace, name)),
      ...[...routed.revisions].map((name) => referenceKey('Revision', namespace, name)),
    ]);
    if (isSettled(route)) await this.#clear(route, routed);
    for (const name of routed.revisions) {
      await this.#set(kinds.Revision, this.#revisions.get(namespace, name), route, true);
    }
    for (const name of routed.configurations) {
      await this.#set(kinds.Configuration, this.#configurations.get(namespace, name), route, true);
    }
  }

  /** Takes the Route off everything that names it and is not in `kept`. */
  async #clear(route: Route, kept: RoutedNames): Promise<void> {
    const { namespace, name } = route.metadata;
    for (const used of this.routedRevisions.namesOf(namespace, name)) {
      const revision = this.#revisions.get(namespace, used);
      if (kept.revisions.has(used) || !isActive(revision)) continue;
      await this.#set(kinds.Revision, revision, route, false);
    }
    for (const used of this.routedConfigurations.namesOf(namespace, name)) {
      if (kept.configurations.has(used)) continue;
      const configuration = this.#configurations.get(namespace, used);
      await this.#set(kinds.Configuration, configuration, route, false);
    }
  }

  /** CP-372, CP-373. */
  async #set(
    kind: Kind,
    object: Revision | Configuration | undefined,
    route: Route,
    isRouted: boolean,
  ): Promise<void> {
    if (object === undefined) return;
    const now = timestamp(this.#context.clock.nowMs());
    const body = routesPatch(object, route.metadata.name, isRouted, now);
    if (body === null) return;
    const { namespace, name } = object.metadata;
    try {
      await this.#context.client.patch(kind, { namespace, name }, { type: 'merge', body });
    } catch (error) {
      if (isNotFound(error)) return;
      const step = isRouted
        ? `failed to add route annotation to Namespace=${namespace} Name="${name}"`
        : `failed to remove route annotation to ${kind.group}/${kind.version}, Kind=${kind.kind} "${name}"`;
      throw wrapError(step, error);
    }
  }
}

const isActive = (revision: Revision | undefined): boolean =>
  revision?.metadata.labels?.[ROUTING_STATE_LABEL] === ROUTING_STATE_ACTIVE;

/** Ready or failed for its current generation: what it no longer uses can be let go. */
function isSettled(route: Route): boolean {
  if (route.status?.observedGeneration !== route.metadata.generation) return false;
  const status = findCondition(route, READY)?.status;
  return status === 'True' || status === 'False';
}
