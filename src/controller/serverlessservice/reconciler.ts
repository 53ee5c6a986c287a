// ServerlessService -> private Service, public Service and public Endpoints (CP-480 to CP-485).
// Every hand-over between activator and pods passes here, so a pass does as little as it can: it
// reads caches and writes only what differs.

import { CONDITION_SETS } from '../../api/conditions.ts';
import {
  type CoreService,
  type Deployment,
  type Endpoints,
  type LabelMap,
  readyAddressCount,
} from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import { ACTIVATOR_SERVICE, SERVICE_TYPE_PUBLIC } from '../../api/labels.ts';
import { privateServiceName } from '../../api/naming.ts';
import type { ServerlessService } from '../../api/networking.ts';
import { deepEqual } from '../../kube/equal.ts';
import { EventRecorder } from '../../kube/events.ts';
import type { OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../../kube/types.ts';
import { createOrGet, isControlledBy } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { type Pass, StatusPipeline, wrapError } from '../pipeline.ts';
import { covers } from '../route/resources/placeholder.ts';
import { publicSubsets } from './endpoints.ts';
import { childMetadata, makePrivateService, makePublicService } from './resources/services.ts';

type OwnSks = OwnCopy<ServerlessService>;
/** Only a fallback: the Endpoints controller normally takes a millisecond. */
const ENDPOINTS_RETRY_MS = 1_000;
const POPULATED = 'EndpointsPopulated';
const ACTIVATOR_POPULATED = 'ActivatorEndpointsPopulated';

export class ServerlessServiceReconciler {
  readonly #context: ControllerContext;
  readonly #services: Lister<CoreService>;
  readonly #endpoints: Lister<Endpoints>;
  readonly #deployments: Lister<Deployment>;

  constructor(context: ControllerContext) {
    const { informers } = context;
    this.#context = context;
    this.#services = informers.informer<CoreService>(kinds.CoreService).lister;
    this.#endpoints = informers.informer<Endpoints>(kinds.Endpoints).lister;
    this.#deployments = informers.informer<Deployment>(kinds.Deployment).lister;
  }

  async reconcileKind(sks: OwnSks, pass: Pass): Promise<ReconcileResult | undefined> {
    const desired = makePrivateService(sks, this.#selector(sks));
    await this.#reconcileService(sks, desired, 'PrivateService', pass);
    sks.status.privateServiceName = desired.metadata.name;
    await this.#reconcileService(sks, makePublicService(sks), 'PublicService', pass);
    sks.status.serviceName = sks.metadata.name;
    return this.#reconcileEndpoints(sks, pass);
  }

  /** Any object with a `spec.selector` may be the target; ours are Deployments. */
  #selector(sks: OwnSks): LabelMap {
    const { kind, name } = sks.spec.objectRef;
    const target = this.#deployments.get(sks.metadata.namespace, name);
    if (kind !== 'Deployment' || target === undefined) {
      throw new Error(`error retrieving deployment selector spec: ${kind} "${name}" not found`);
    }
    return target.spec.selector.matchLabels ?? {};
  }

  /** Only ports and selector are held to the wish. */
  async #reconcileService(
    sks: OwnSks,
    desired: CoreService,
    step: 'PrivateService' | 'PublicService',
    pass: Pass,
  ): Promise<void> {
    const { client } = this.#context;
    const { namespace, name } = desired.metadata;
    let live = this.#services.get(namespace, name);
    if (live === undefined) {
      markNotReady(pass, `Creating${step}`);
      try {
        live = (await createOrGet(client, kinds.CoreService, desired)).object;
      } catch (error) {
        throw wrapError(`failed to create K8s Service: ${name}`, error);
      }
    }
    requireOwned(sks, live, 'Service', pass);
    const isSame =
      covers(live.spec.ports, desired.spec.ports) &&
      deepEqual(live.spec.selector ?? {}, desired.spec.selector ?? {});
    if (isSame) return;
    markNotReady(pass, `Updating${step}`);
    const { selector, ...spec } = live.spec;
    const changed = {
      ...live,
      spec: {
        ...spec,
        ports: desired.spec.ports ?? [],
        ...(desired.spec.selector === undefined ? {} : { selector: desired.spec.selector }),
      },
    };
    await client.update(kinds.CoreService, changed);
  }

  /** CP-483, CP-485. */
  async #reconcileEndpoints(sks: OwnSks, pass: Pass): Promise<ReconcileResult | undefined> {
    const { client, systemNamespace } = this.#context;
    const { namespace, name } = sks.metadata;
    const activators = this.#endpoints.get(systemNamespace, ACTIVATOR_SERVICE);
    if (activators === undefined) {
      throw new Error(
        `failed to get activator service endpoints: endpoints "${ACTIVATOR_SERVICE}" not found`,
      );
    }
    const privateName = privateServiceName(name);
    const own = this.#endpoints.get(namespace, privateName);
    // Right after the Service was made they are on their way; their arrival wakes this object.
    if (own === undefined) return { requeueAfterMs: ENDPOINTS_RETRY_MS };
    const subsets = publicSubsets(sks, own, activators);
    const live = this.#endpoints.get(namespace, name);
    if (live === undefined) {
      await createOrGet<Endpoints>(client, kinds.Endpoints, {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: childMetadata(sks, name, SERVICE_TYPE_PUBLIC),
        subsets,
      });
    } else {
      requireOwned(sks, live, 'Endpoints', pass);
      if (!deepEqual(live.subsets ?? [], subsets)) {
        await client.update(kinds.Endpoints, { ...live, subsets });
      }
    }
    markPopulated(sks, readyAddressCount(own), pass);
    return undefined;
  }
}

/** CP-485. */
function markPopulated(sks: OwnSks, privateReady: number, { conditions }: Pass): void {
  if (privateReady > 0) conditions.markTrue(POPULATED);
  else {
    conditions.markUnknown(POPULATED, 'NoHealthyBackends', 'K8s Service is not ready');
  }
  const message = 'Revision is backed by Activator';
  if (privateReady === 0 || sks.spec.mode === 'Proxy') {
    conditions.markTrue(ACTIVATOR_POPULATED, ACTIVATOR_POPULATED, message);
  } else conditions.markFalse(ACTIVATOR_POPULATED, ACTIVATOR_POPULATED, message);
}

function markNotReady({ conditions }: Pass, reason: string): void {
  conditions.markUnknown(POPULATED, reason, 'K8s Service is not ready');
}

function requireOwned(
  sks: OwnSks,
  child: CoreService | Endpoints,
  what: 'Service' | 'Endpoints',
  { conditions }: Pass,
): void {
  if (isControlledBy(child, sks)) return;
  const { name } = child.metadata;
  conditions.markFalse(
    POPULATED,
    'NotOwned',
    `Resource ${name} of type ${what} is not owned by SKS`,
  );
  throw new Error(`SKS: ${sks.metadata.name} does not own ${what}: ${name}`);
}

export function createServerlessServiceReconciler(context: ControllerContext): {
  reconciler: Reconciler;
  recorder: EventRecorder;
} {
  const recorder = new EventRecorder({ ...context, component: 'serverlessservice-controller' });
  const kind = new ServerlessServiceReconciler(context);
  const reconciler = new StatusPipeline<ServerlessService>(context, {
    kind: kinds.ServerlessService,
    conditionSet: CONDITION_SETS.ServerlessService,
    lister: context.informers.informer<ServerlessService>(kinds.ServerlessService).lister,
    recorder,
    reconcileKind: (sks, pass) => kind.reconcileKind(sks, pass),
  });
  return { reconciler, recorder };
}
