// Revision -> Deployment and PodAutoscaler, and from both what state it is in (CP-160 to CP-195).
// Where the node maps image names to programs nothing is resolved: the digest of an image is its
// own name, and a name nobody knows comes back as a failing container.

import type { PodAutoscaler } from '../../api/autoscaling.ts';
import { CONDITION_SETS, READY } from '../../api/conditions.ts';
import type { Deployment, Pod } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import {
  AUTOSCALING_CLASS_ANNOTATION,
  DEPLOYMENT_HASH_LABEL,
  REVISION_UID_LABEL,
} from '../../api/labels.ts';
import { deploymentName } from '../../api/naming.ts';
import type { Certificate } from '../../api/networking.ts';
import { joinKey, type KubeObject, objectKey } from '../../api/objects.ts';
import type { Revision } from '../../api/serving.ts';
import { EventRecorder } from '../../kube/events.ts';
import type { OwnCopy } from '../../kube/status-pass.ts';
import type { Lister, Reconciler } from '../../kube/types.ts';
import type { CertificateWriter } from '../certificate/ensure.ts';
import { createOrGet, isControlledBy } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { type Pass, StatusPipeline, wrapError } from '../pipeline.ts';
import type { ReferenceTracker } from '../tracker.ts';
import { givenStatuses, hasContainerStatuses } from './container-statuses.ts';
import { DeploymentHashes } from './deployment-hashes.ts';
import { DigestError } from './digest/queue.ts';
import {
  CONTAINER_HEALTHY,
  DEPLOYING,
  isFailed,
  markAutoscalerStatus,
  markDeploymentStatus,
  markPodFailure,
  RESOURCES_AVAILABLE,
} from './health.ts';
import { ensureQueueProxyCertificate } from './queue-proxy-certificate.ts';
import { makeDeployment, updatedDeployment } from './resources/deployment.ts';
import { type Image, makeImages } from './resources/image-cache.ts';
import {
  makePodAutoscaler,
  reachabilityOf,
  updatedPodAutoscaler,
} from './resources/pod-autoscaler.ts';
import { SERVING_CERTS_SECRET } from './resources/volumes.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is written so in the map
const UID_PLACEHOLDER = '${REVISION_UID}';

type OwnRevision = OwnCopy<Revision>;

export class RevisionReconciler {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #deployments: Lister<Deployment>;
  readonly #autoscalers: Lister<PodAutoscaler>;
  readonly #pods: Lister<Pod>;
  readonly #images: Lister<Image> | null;
  readonly #certificates: CertificateWriter & { readonly namespaces: Lister<KubeObject> };
  readonly #tracker: ReferenceTracker;
  readonly #hashes: DeploymentHashes;

  constructor(context: ControllerContext, recorder: EventRecorder, tracker: ReferenceTracker) {
    const { client, informers } = context;
    this.#context = context;
    this.#recorder = recorder;
    this.#tracker = tracker;
    this.#images = context.hasImageCaches ? informers.informer<Image>(kinds.Image).lister : null;
    const certificates = informers.informer<Certificate>(kinds.Certificate).lister;
    const namespaces = informers.informer<KubeObject>(kinds.Namespace).lister;
    this.#certificates = { client, recorder, certificates, namespaces };
    this.#hashes = new DeploymentHashes(context.systemNamespace);
    this.#deployments = informers.informer<Deployment>(kinds.Deployment).lister;
    this.#autoscalers = informers.informer<PodAutoscaler>(kinds.PodAutoscaler).lister;
    this.#pods = informers.informer<Pod>(kinds.Pod).lister;
  }

  /** CP-160. */
  async reconcileKind(revision: OwnRevision, pass: Pass): Promise<undefined> {
    const wasReady = pass.conditions.get(READY)?.status === 'True';
    setLogUrl(revision, pass.config.observability.loggingUrlTemplate);
    if (!this.#resolveImages(revision, pass)) return;
    if (pass.config.network.systemInternalTls) await this.#reconcileCertificate(revision, pass);
    const deployment = await this.#reconcileDeployment(revision, pass);
    if (this.#images !== null) await this.#reconcileImages(revision, this.#images);
    await this.#reconcileAutoscaler(revision, deployment, pass);
    if (!wasReady && pass.conditions.get(READY)?.status === 'True') {
      const text = 'Revision becomes ready upon all resources being ready';
      this.#recorder.normal(revision, 'RevisionReady', text);
    }
  }

  forget(key: string): void {
    this.#hashes.forget(key);
    this.#tracker.forget(key);
    this.#context.digests?.forget(key);
  }

  /** CP-162, CP-163: false while digests are being looked up. */
  #resolveImages(revision: OwnRevision, { config, conditions }: Pass): boolean {
    const { digests } = this.#context;
    const key = objectKey(revision);
    if (hasContainerStatuses(revision)) {
      digests?.forget(key);
      return true;
    }
    if (digests === null) {
      Object.assign(revision.status, givenStatuses(revision));
      return true;
    }
    try {
      const found = digests.resolve(key, revision, config.deployment);
      if (found === null) {
        conditions.markUnknown(RESOURCES_AVAILABLE, 'ResolvingDigests');
        return false;
      }
      revision.status.containerStatuses = found.containerStatuses;
      if (found.initContainerStatuses.length > 0) {
        revision.status.initContainerStatuses = found.initContainerStatuses;
      }
      return true;
    } catch (error) {
      if (error instanceof DigestError) {
        conditions.markFalse(CONTAINER_HEALTHY, 'ContainerMissing', error.message);
      }
      throw error;
    }
  }

  /** CP-170. */
  async #reconcileCertificate(revision: OwnRevision, { config }: Pass): Promise<void> {
    const key = certificateKey(revision.metadata.namespace);
    this.#tracker.track(objectKey(revision), [key]);
    const { certificateClass } = config.network;
    await ensureQueueProxyCertificate(this.#certificates, revision, certificateClass);
  }

  /** CP-190: never updated, whoever owns them. */
  async #reconcileImages(revision: OwnRevision, images: Lister<Image>): Promise<void> {
    for (const image of makeImages(revision)) {
      const { namespace, name } = image.metadata;
      if (images.get(namespace, name) !== undefined) continue;
      try {
        await createOrGet(this.#context.client, kinds.Image, image);
      } catch (error) {
        throw wrapError(`failed to create image cache "${name}"`, error);
      }
    }
  }

  /** CP-175. */
  async #reconcileDeployment(revision: OwnRevision, pass: Pass): Promise<Deployment> {
    const { client, systemNamespace } = this.#context;
    const { namespace, name } = revision.metadata;
    const childName = deploymentName(name);
    const make = (): Deployment => makeDeployment(revision, pass.config, systemNamespace);
    let live = this.#deployments.get(namespace, childName);
    if (live === undefined) {
      pass.conditions.markUnknown(RESOURCES_AVAILABLE, DEPLOYING);
      pass.conditions.markUnknown(CONTAINER_HEALTHY, DEPLOYING);
      try {
        live = (await createOrGet(client, kinds.Deployment, make())).object;
      } catch (error) {
        throw wrapError(`failed to create deployment "${childName}"`, error);
      }
    }
    this.#requireOwned(revision, live, 'Deployment', pass);
    const hash = this.#hashes.hashOf(objectKey(revision), revision, pass.config);
    if (live.metadata.labels?.[DEPLOYMENT_HASH_LABEL] !== hash) {
      const updated = updatedDeployment(live, make());
      if (updated !== undefined) live = await client.update(kinds.Deployment, updated);
    }
    this.#observeDeployment(live, pass);
    return live;
  }

  #observeDeployment(deployment: Deployment, pass: Pass): void {
    const { conditions, config } = pass;
    markDeploymentStatus(deployment, conditions);
    const wanted = deployment.spec.replicas ?? 1;
    const { availableReplicas = 0, readyReplicas = 0 } = deployment.status ?? {};
    if (wanted > 0 && availableReplicas === 0) {
      const pod = this.#anyPod(deployment);
      const { podIsAlwaysSchedulable } = config.deployment;
      if (pod !== undefined) markPodFailure(pod, deployment, podIsAlwaysSchedulable, conditions);
    }
    if (readyReplicas > 0) conditions.markTrue(CONTAINER_HEALTHY);
  }

  /** One that is not on its way out, if there is one. */
  #anyPod(deployment: Deployment): Pod | undefined {
    const uid = deployment.spec.selector.matchLabels?.[REVISION_UID_LABEL] ?? '';
    const pods = this.#pods
      .byLabel(REVISION_UID_LABEL, uid)
      .filter(({ metadata }) => metadata.namespace === deployment.metadata.namespace);
    return pods.find(({ metadata }) => metadata.deletionTimestamp === undefined) ?? pods[0];
  }

  /** CP-191 to CP-194. */
  async #reconcileAutoscaler(
    revision: OwnRevision,
    deployment: Deployment,
    pass: Pass,
  ): Promise<void> {
    const { client } = this.#context;
    const { namespace, name } = revision.metadata;
    const build = (): PodAutoscaler => {
      const reachability = reachabilityOf(revision, deployment, isFailed(pass.conditions));
      return makePodAutoscaler(revision, deployment, reachability);
    };
    let live = this.#autoscalers.get(namespace, name);
    if (live === undefined) {
      const desired = withClass(build(), pass.config.autoscaler.podAutoscalerClass);
      try {
        live = (await createOrGet(client, kinds.PodAutoscaler, desired)).object;
      } catch (error) {
        throw wrapError(`failed to create PA "${name}"`, error);
      }
    }
    this.#requireOwned(revision, live, 'PodAutoscaler', pass);
    markAutoscalerStatus(live, revision.status, pass.conditions);
    const updated = updatedPodAutoscaler(live, build());
    if (updated !== undefined) await client.update(kinds.PodAutoscaler, updated);
  }

  #requireOwned(
    revision: OwnRevision,
    child: Deployment | PodAutoscaler,
    what: string,
    pass: Pass,
  ): void {
    if (isControlledBy(child, revision)) return;
    const name = child.metadata.name;
    const message = `There is an existing ${what} "${name}" that we do not own.`;
    pass.conditions.markFalse(RESOURCES_AVAILABLE, 'NotOwned', message);
    throw new Error(`revision: "${revision.metadata.name}" does not own ${what}: "${name}"`);
  }
}

/** CP-161. */
function setLogUrl(revision: OwnRevision, template: string): void {
  if (template === '') delete revision.status.logUrl;
  else revision.status.logUrl = template.replaceAll(UID_PLACEHOLDER, revision.metadata.uid ?? '');
}

/** How the tracker names the sidecars' certificate of a namespace. */
export function certificateKey(namespace: string | undefined): string {
  return `Certificate/${joinKey(namespace, SERVING_CERTS_SECRET)}`;
}

function withClass(autoscaler: PodAutoscaler, className: string): PodAutoscaler {
  const annotations = {
    [AUTOSCALING_CLASS_ANNOTATION]: className,
    ...autoscaler.metadata.annotations,
  };
  return { ...autoscaler, metadata: { ...autoscaler.metadata, annotations } };
}

export function createRevisionReconciler(
  context: ControllerContext,
  tracker: ReferenceTracker,
): {
  reconciler: Reconciler;
  recorder: EventRecorder;
} {
  const recorder = new EventRecorder({ ...context, component: 'revision-controller' });
  const kind = new RevisionReconciler(context, recorder, tracker);
  const reconciler = new StatusPipeline<Revision>(context, {
    kind: kinds.Revision,
    conditionSet: CONDITION_SETS.Revision,
    lister: context.informers.informer<Revision>(kinds.Revision).lister,
    recorder,
    reconcileKind: (revision, pass) => kind.reconcileKind(revision, pass),
    forget: (key) => kind.forget(key),
  });
  return { reconciler, recorder };
}
