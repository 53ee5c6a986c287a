// Route -> Ingress and placeholder Services (CP-260). While a target cannot be served, everything
// already programmed stays as it is: old traffic goes on flowing.

import { CONDITION_SETS, findCondition, isReady, READY } from '../../api/conditions.ts';
import * as kinds from '../../api/kinds.ts';
import {
  DISABLE_EXTERNAL_DOMAIN_TLS_ANNOTATIONS,
  firstAnnotation,
  ROLLOUT_ANNOTATION,
} from '../../api/labels.ts';
import { ingressName, serviceHostname } from '../../api/naming.ts';
import type { Ingress } from '../../api/networking.ts';
import { joinKey, objectKey } from '../../api/objects.ts';
import type { Configuration, Revision, Route } from '../../api/serving.ts';
import { deepEqual } from '../../kube/equal.ts';
import { EventRecorder } from '../../kube/events.ts';
import { messageOf, type OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../../kube/types.ts';
import { createOrGet } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { type Pass, StatusPipeline, wrapError } from '../pipeline.ts';
import type { ReferenceTracker } from '../tracker.ts';
import { DomainNameError, type GroupHost, groupHosts } from './domains.ts';
import { Placeholders } from './placeholders.ts';
import { makeIngress } from './resources/ingress.ts';
import { baselineRollout, isRollingOut, nextStepAtMs, type Rollout } from './rollout.ts';
import { planRollout } from './rollout-plan.ts';
import { statusTraffic } from './status-traffic.ts';
import { DEFAULT_GROUP, type Resolution, resolveTraffic, type TrafficConfig } from './traffic.ts';

type OwnRoute = OwnCopy<Route>;

export class RouteReconciler {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #tracker: ReferenceTracker;
  readonly #placeholders: Placeholders;
  readonly #configurations: Lister<Configuration>;
  readonly #revisions: Lister<Revision>;
  readonly #ingresses: Lister<Ingress>;

  constructor(context: ControllerContext, recorder: EventRecorder, tracker: ReferenceTracker) {
    const { informers } = context;
    this.#context = context;
    this.#recorder = recorder;
    this.#tracker = tracker;
    this.#placeholders = new Placeholders(context, recorder);
    this.#configurations = informers.informer<Configuration>(kinds.Configuration).lister;
    this.#revisions = informers.informer<Revision>(kinds.Revision).lister;
    this.#ingresses = informers.informer<Ingress>(kinds.Ingress).lister;
  }

  async reconcileKind(route: OwnRoute, pass: Pass): Promise<ReconcileResult | undefined> {
    const { conditions } = pass;
    if (route.metadata.generation !== route.status.observedGeneration) markNotConfigured(pass);
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
    const urlOf = (tag: string): string => hosts.get(tag)?.url ?? '';
    route.status.traffic = statusTraffic(traffic, urlOf, {});
    conditions.markTrue('AllTrafficAssigned');
    route.status.address = { url: this.#address(route) };

    const services = await this.#placeholders.ensure(route, hosts, pass);
    markTls(route, pass);
    const { ingress, rollout } = await this.#reconcileIngress(route, traffic, hosts, pass);
    const isRolling = isRollingOut(rollout);
    propagateIngress(ingress, isRolling, pass);
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
    return `http://${serviceHostname(metadata.name, metadata.namespace ?? '', clusterDomain)}`;
  }

  /** CP-307. */
  async #reconcileIngress(
    route: OwnRoute,
    traffic: TrafficConfig,
    hosts: ReadonlyMap<string, GroupHost>,
    pass: Pass,
  ): Promise<{ ingress: Ingress; rollout: Rollout }> {
    const { client } = this.#context;
    const { config, nowMs } = pass;
    const { namespace, name } = route.metadata;
    let live = this.#ingresses.get(namespace, ingressName(name));
    if (live === undefined) {
      const rollout = baselineRollout(traffic);
      const desired = makeIngress({ route, traffic, hosts, rollout, config });
      live = await this.#createIngress(route, desired);
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
    const desired = makeIngress({ route, traffic, hosts, rollout, config });
    if (isSameIngress(live, desired)) return { ingress: live, rollout };
    const { labels, annotations } = desired.metadata;
    const metadata = { ...live.metadata, labels: labels ?? {}, annotations: annotations ?? {} };
    try {
      const changed = { ...live, metadata, spec: desired.spec };
      return { ingress: await client.update(kinds.Ingress, changed), rollout };
    } catch (error) {
      throw wrapError('failed to update Ingress', error);
    }
  }

  async #createIngress(route: OwnRoute, desired: Ingress): Promise<Ingress> {
    try {
      const { object, created } = await createOrGet(this.#context.client, kinds.Ingress, desired);
      if (created) {
        this.#recorder.normal(route, 'Created', `Created Ingress "${desired.metadata.name}"`);
      }
      return object;
    } catch (error) {
      const text = `Failed to create Ingress: ${messageOf(error)}`;
      this.#recorder.warning(route, 'CreationFailed', text);
      throw wrapError('failed to create Ingress', error);
    }
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

function isSameIngress(live: Ingress, desired: Ingress): boolean {
  return (
    deepEqual(live.spec, desired.spec) &&
    deepEqual(live.metadata.annotations, desired.metadata.annotations) &&
    deepEqual(live.metadata.labels, desired.metadata.labels)
  );
}

function markNotConfigured({ conditions }: Pass): void {
  const message = 'Ingress has not yet been reconciled.';
  conditions.markUnknown('IngressReady', 'IngressNotConfigured', message);
}

/** CP-275. */
function markProblem({ conditions }: Pass, { problem }: Resolution): void {
  if (problem === null) return;
  const { status, reason, message } = problem;
  if (status === 'False') conditions.markFalse('AllTrafficAssigned', reason, message);
  else conditions.markUnknown('AllTrafficAssigned', reason, message);
}

/** CP-345. No certificates are issued yet, so a Route that wants one says that it waits. */
function markTls({ metadata }: OwnRoute, { conditions, config }: Pass): void {
  const disabled = firstAnnotation(metadata.annotations, DISABLE_EXTERNAL_DOMAIN_TLS_ANNOTATIONS);
  if (!config.network.externalDomainTls || /^(1|t|true)$/i.test(disabled ?? '')) {
    const message = 'external-domain-tls is not enabled';
    conditions.markTrue('CertificateProvisioned', 'TLSNotEnabled', message);
    return;
  }
  const message = 'No certificate controller is running: external-domain-tls has no effect.';
  conditions.markUnknown('CertificateProvisioned', 'CertificateNotReady', message);
}

/** CP-260, step 12. */
function propagateIngress(ingress: Ingress, isRolling: boolean, pass: Pass): void {
  if (ingress.metadata.generation !== ingress.status?.observedGeneration) {
    markNotConfigured(pass);
    return;
  }
  if (isRolling) return;
  const ready = findCondition(ingress, READY);
  if (ready === undefined) markNotConfigured(pass);
  else pass.conditions.mirror('IngressReady', ready);
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
