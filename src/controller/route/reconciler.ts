// Route -> Ingress and placeholder Services (CP-260). While a target cannot be served, everything
// already programmed stays as it is: old traffic goes on flowing.

import { CONDITION_SETS, findCondition, isReady } from '../../api/conditions.ts';
import * as kinds from '../../api/kinds.ts';
import { ROLLOUT_ANNOTATION } from '../../api/labels.ts';
import { ingressName, serviceHostname } from '../../api/naming.ts';
import type { Certificate, Ingress } from '../../api/networking.ts';
import { joinKey, objectKey } from '../../api/objects.ts';
import type { Configuration, Revision, Route } from '../../api/serving.ts';
import { EventRecorder } from '../../kube/events.ts';
import { messageOf, type OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../../kube/types.ts';
import type { ControllerContext } from '../context.ts';
import {
  type ChildWriter,
  createIngress,
  markIngressNotConfigured,
  propagateIngress,
  updateIngress,
} from '../ingress-apply.ts';
import { type Pass, StatusPipeline } from '../pipeline.ts';
import type { ReferenceTracker } from '../tracker.ts';
import { DomainNameError, type GroupHost, groupHosts } from './domains.ts';
import { Placeholders } from './placeholders.ts';
import { type IngressInputs, makeIngress } from './resources/ingress.ts';
import { baselineRollout, isRollingOut, nextStepAtMs, type Rollout } from './rollout.ts';
import { planRollout } from './rollout-plan.ts';
import { statusTraffic } from './status-traffic.ts';
import { RouteTls, type RouteTlsOutcome } from './tls.ts';
import { DEFAULT_GROUP, type Resolution, resolveTraffic, type TrafficConfig } from './traffic.ts';

type OwnRoute = OwnCopy<Route>;

export class RouteReconciler {
  readonly #context: ControllerContext;
  readonly #tracker: ReferenceTracker;
  readonly #writer: ChildWriter;
  readonly #placeholders: Placeholders;
  readonly #tls: RouteTls;
  readonly #configurations: Lister<Configuration>;
  readonly #revisions: Lister<Revision>;
  readonly #ingresses: Lister<Ingress>;

  constructor(context: ControllerContext, recorder: EventRecorder, tracker: ReferenceTracker) {
    const { informers } = context;
    this.#context = context;
    this.#tracker = tracker;
    this.#writer = { client: context.client, recorder };
    const certificates = informers.informer<Certificate>(kinds.Certificate).lister;
    this.#tls = new RouteTls(this.#writer, certificates);
    this.#placeholders = new Placeholders(context, recorder);
    this.#configurations = informers.informer<Configuration>(kinds.Configuration).lister;
    this.#revisions = informers.informer<Revision>(kinds.Revision).lister;
    this.#ingresses = informers.informer<Ingress>(kinds.Ingress).lister;
  }

  async reconcileKind(route: OwnRoute, pass: Pass): Promise<ReconcileResult | undefined> {
    const { conditions } = pass;
    if (route.metadata.generation !== route.status.observedGeneration)
      markIngressNotConfigured(conditions);
    const resolution = resolveTraffic(route, {
      configurations: this.#configurations,
      revisions: this.#revisions,
    });
    this.#track(route, resolution);
    const hosts = this.#hosts(route, resolution.traffic, pass);
    route.status.url = hosts.get(DEFAULT_GROUP)!.url;
    if (resolution.problem !== null || resolution.traffic === null) {
      markProblem(pass, resolution);
      return undefined;
    }
    const { traffic } = resolution;
    const plainUrlOf = (tag: string): string => hosts.get(tag)?.url ?? '';
    route.status.traffic = statusTraffic(traffic, plainUrlOf, {});
    conditions.markTrue('AllTrafficAssigned');
    const address = this.#address(route);
    route.status.address = { url: `http://${address}` };

    const services = await this.#placeholders.ensure(route, hosts, pass);
    const tls = await this.#tls.reconcile(route, [...hosts.values()], pass);
    const urlOf = (tag: string): string => schemed(plainUrlOf(tag), tls);
    route.status.url = urlOf(DEFAULT_GROUP);
    route.status.address = { url: schemed(`http://${address}`, tls) };
    route.status.traffic = statusTraffic(traffic, urlOf, {});
    const inputs = { route, traffic, hosts, config: pass.config, ...tls };
    const { ingress, rollout } = await this.#reconcileIngress(inputs, pass);
    const isRolling = isRollingOut(rollout);
    propagateIngress(ingress, conditions, isRolling);
    await this.#placeholders.point(route, services, ingress, pass);
    if (!isRolling) return undefined;
    const message = 'A gradual rollout of the latest revision(s) is in progress.';
    conditions.markUnknown('IngressReady', 'RolloutInProgress', message);
    route.status.traffic = statusTraffic(traffic, urlOf, rollout);
    return requeueForStep(rollout, pass.nowMs);
  }

  #track(route: OwnRoute, { configurationNames, revisionNames }: Resolution): void {
    const { namespace } = route.metadata;
    this.#tracker.track(objectKey(route), [
      ...[...configurationNames].map((name) => referenceKey('Configuration', namespace, name)),
      ...[...revisionNames].map((name) => referenceKey('Revision', namespace, name)),
    ]);
  }

  /** The default host is known even while the traffic is not. */
  #hosts(route: OwnRoute, traffic: TrafficConfig | null, pass: Pass): Map<string, GroupHost> {
    const tags = traffic === null ? [DEFAULT_GROUP] : [...traffic.groups.keys()];
    const placeholders = this.#placeholders.listOf(route);
    try {
      return groupHosts(route, tags, placeholders, pass.config, this.#context.clusterDomain);
    } catch (error) {
      const text = messageOf(error);
      if (error instanceof DomainNameError) {
        pass.conditions.markFalse('AllTrafficAssigned', 'ErrorConfig', text);
      } else pass.conditions.markUnknown('AllTrafficAssigned', 'Unknown', text);
      throw error;
    }
  }

  #address({ metadata }: OwnRoute): string {
    const { clusterDomain } = this.#context;
    return serviceHostname(metadata.name, metadata.namespace ?? '', clusterDomain);
  }

  /** CP-307. */
  async #reconcileIngress(
    inputs: Omit<IngressInputs, 'rollout'>,
    { nowMs }: Pass,
  ): Promise<{ ingress: Ingress; rollout: Rollout }> {
    const { route, traffic, config } = inputs;
    const { namespace, name } = route.metadata;
    let live = this.#ingresses.get(namespace, ingressName(name));
    if (live === undefined) {
      const desired = makeIngress({ ...inputs, rollout: baselineRollout(traffic) });
      live = await createIngress(this.#writer, route, desired);
    }
    const rollout = planRollout({
      previous: live.metadata.annotations?.[ROLLOUT_ANNOTATION],
      wanted: baselineRollout(traffic),
      route,
      defaultDurationSeconds: config.network.rolloutDurationSeconds,
      isIngressReady: isReady(live),
      isRouteIngressReady: findCondition(route, 'IngressReady')?.status === 'True',
      nowMs,
    });
    const desired = makeIngress({ ...inputs, rollout });
    return { ingress: await updateIngress(this.#writer, live, desired), rollout };
  }
}

/** How the tracker names what Routes refer to. */
export function referenceKey(
  kind: 'Configuration' | 'Revision',
  namespace: string | undefined,
  name: string,
): string {
  return `${kind}/${joinKey(namespace, name)}`;
}

/** CP-348, CP-352. */
function schemed(url: string, { httpsHosts }: RouteTlsOutcome): string {
  return httpsHosts.has(new URL(url).host) ? url.replace(/^[a-z]+:/, 'https:') : url;
}

/** CP-275. */
function markProblem({ conditions }: Pass, { problem }: Resolution): void {
  if (problem === null) return;
  const { status, reason, message } = problem;
  if (status === 'False') conditions.markFalse('AllTrafficAssigned', reason, message);
  else conditions.markUnknown('AllTrafficAssigned', reason, message);
}

function requeueForStep(rollout: Rollout, nowMs: number): ReconcileResult | undefined {
  const atMs = nextStepAtMs(rollout);
  return atMs === null ? undefined : { requeueAfterMs: Math.max(1, Math.ceil(atMs - nowMs)) };
}

export function createRouteReconciler(
  context: ControllerContext,
  tracker: ReferenceTracker,
): { reconciler: Reconciler; recorder: EventRecorder } {
  const recorder = new EventRecorder({ ...context, component: 'route-controller' });
  const kind = new RouteReconciler(context, recorder, tracker);
  const reconciler = new StatusPipeline<Route>(context, {
    kind: kinds.Route,
    conditionSet: CONDITION_SETS.Route,
    lister: context.informers.informer<Route>(kinds.Route).lister,
    recorder,
    reconcileKind: (route, pass) => kind.reconcileKind(route, pass),
    forget: (key) => tracker.forget(key),
  });
  return { reconciler, recorder };
}
