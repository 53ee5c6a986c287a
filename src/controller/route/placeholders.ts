// Applies the placeholder Services of a Route (CP-320 to CP-324): creates what is missing before
// the Ingress, removes what is no longer wanted, and points them at the gateway afterwards.

import type { CoreService, Endpoints } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { ROUTE_LABEL } from '../../api/labels.ts';
import type { Ingress } from '../../api/networking.ts';
import type { Route } from '../../api/serving.ts';
import { deepEqual } from '../../kube/equal.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { messageOf, type OwnCopy } from '../../kube/status-pass.ts';
import { isNotFound, type Lister } from '../../kube/types.ts';
import { createOrGet, isControlledBy } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { type Pass, wrapError } from '../pipeline.ts';
import { type GroupHost, placeholderDomain } from './domains.ts';
import {
  makePlaceholder,
  placeholderChange,
  pointPlaceholder,
  updatedPlaceholder,
} from './resources/placeholder.ts';

type OwnRoute = OwnCopy<Route>;

export class Placeholders {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #services: Lister<CoreService>;
  readonly #endpoints: Lister<Endpoints>;

  constructor(context: ControllerContext, recorder: EventRecorder) {
    this.#context = context;
    this.#recorder = recorder;
    this.#services = context.informers.informer<CoreService>(kinds.CoreService).lister;
    this.#endpoints = context.informers.informer<Endpoints>(kinds.Endpoints).lister;
  }

  /** Services that carry the Route's label. */
  listOf({ metadata }: Route): CoreService[] {
    return this.#services
      .byLabel(ROUTE_LABEL, metadata.name)
      .filter((service) => service.metadata.namespace === metadata.namespace);
  }

  /** CP-320 to CP-322. Resolves with the live Services by group tag. */
  async ensure(
    route: OwnRoute,
    hosts: ReadonlyMap<string, GroupHost>,
    pass: Pass,
  ): Promise<Map<string, CoreService>> {
    const live = new Map<string, CoreService>();
    for (const { tag, name } of hosts.values()) {
      const existing = this.#services.get(route.metadata.namespace, name);
      const service = existing ?? (await this.#create(route, name, pass));
      this.#requireOwned(route, service, 'Service', pass);
      live.set(tag, service);
    }
    const names = new Set([...hosts.values()].map(({ name }) => name));
    for (const service of this.listOf(route)) {
      if (!names.has(service.metadata.name)) await this.#remove(service);
    }
    return live;
  }

  async #create(route: OwnRoute, name: string, pass: Pass): Promise<CoreService> {
    const { client, clusterDomain } = this.#context;
    const domain = placeholderDomain(route, name, pass.config, clusterDomain);
    const desired = makePlaceholder(route, name, domain);
    try {
      const { object, created } = await createOrGet(client, kinds.CoreService, desired);
      if (created) this.#recorder.normal(route, 'Created', `Created placeholder service "${name}"`);
      return object;
    } catch (error) {
      const text = `Failed to create placeholder service "${name}": ${messageOf(error)}`;
      this.#recorder.warning(route, 'CreationFailed', text);
      throw wrapError('failed to create placeholder service', error);
    }
  }

  async #remove(service: CoreService): Promise<void> {
    const { client } = this.#context;
    const { namespace, name } = service.metadata;
    await deleteIfThere(() => client.delete(kinds.CoreService, { namespace, name }));
    if (this.#endpoints.get(namespace, name) !== undefined) {
      await deleteIfThere(() => client.delete(kinds.Endpoints, { namespace, name }));
    }
  }

  /** CP-323, CP-324. */
  async point(
    route: OwnRoute,
    services: ReadonlyMap<string, CoreService>,
    ingress: Ingress,
    pass: Pass,
  ): Promise<void> {
    for (const live of services.values()) {
      const wish = pointPlaceholder(route, live, ingress.status);
      if (wish === null) continue;
      await this.#applyService(live, wish.service);
      await this.#applyEndpoints(route, live.metadata.name, wish.endpoints, pass);
    }
  }

  async #applyService(live: CoreService, desired: CoreService): Promise<void> {
    const { client } = this.#context;
    const change = placeholderChange(live, desired);
    if (change === 'update') {
      await client.update(kinds.CoreService, updatedPlaceholder(live, desired));
    } else if (change === 'recreate') {
      const { namespace, name } = live.metadata;
      await deleteIfThere(() => client.delete(kinds.CoreService, { namespace, name }));
      await client.create(kinds.CoreService, desired);
    }
  }

  async #applyEndpoints(
    route: OwnRoute,
    name: string,
    desired: Endpoints | null,
    pass: Pass,
  ): Promise<void> {
    const { client } = this.#context;
    const { namespace } = route.metadata;
    const live = this.#endpoints.get(namespace, name);
    if (live !== undefined && (desired !== null || isControlledBy(live, route))) {
      this.#requireOwned(route, live, 'Endpoints', pass);
    }
    if (desired === null) {
      if (live !== undefined && isControlledBy(live, route)) {
        await deleteIfThere(() => client.delete(kinds.Endpoints, { namespace, name }));
      }
    } else if (live === undefined) {
      await createOrGet(client, kinds.Endpoints, desired);
    } else if (!deepEqual(live.subsets, desired.subsets)) {
      await client.update(kinds.Endpoints, { ...live, subsets: desired.subsets ?? [] });
    }
  }

  /** CP-321. */
  #requireOwned(
    route: OwnRoute,
    object: CoreService | Endpoints,
    what: 'Service' | 'Endpoints',
    pass: Pass,
  ): void {
    if (isControlledBy(object, route)) return;
    const { name } = object.metadata;
    const noun = what === 'Service' ? 'Service' : 'Endpoint';
    const message = `There is an existing placeholder ${noun} "${name}" that we do not own.`;
    pass.conditions.markFalse('IngressReady', 'NotOwned', message);
    throw new Error(`route: "${route.metadata.name}" does not own ${what}: "${name}"`);
  }
}

async function deleteIfThere(remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
