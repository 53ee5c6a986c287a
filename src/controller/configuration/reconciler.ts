// Configuration -> one Revision per generation (CP-140 to CP-148), and which of them is latest.

import { CONDITION_SETS, findCondition, READY } from '../../api/conditions.ts';
import * as kinds from '../../api/kinds.ts';
import { CONFIGURATION_GENERATION_LABEL, CONFIGURATION_LABEL } from '../../api/labels.ts';
import type { Configuration, Revision } from '../../api/serving.ts';
import { deepEqual } from '../../kube/equal.ts';
import { EventRecorder } from '../../kube/events.ts';
import { messageOf, type OwnCopy } from '../../kube/status-pass.ts';
import { isAlreadyExists, type Lister, type Reconciler } from '../../kube/types.ts';
import { isControlledBy } from '../children.ts';
import type { ControllerContext } from '../context.ts';
import { type Pass, StatusPipeline, wrapError } from '../pipeline.ts';
import { findLatestReady } from './latest-ready.ts';
import { makeRevision } from './resources/revision.ts';

type OwnConfiguration = OwnCopy<Configuration>;
/** `taken`: the wanted name belongs to a Revision that is not ours or has another spec (CP-142). */
type Lookup = { revision: Revision } | { taken: string } | null;

export class ConfigurationReconciler {
  readonly #context: ControllerContext;
  readonly #revisions: Lister<Revision>;
  readonly #recorder: EventRecorder;

  constructor(context: ControllerContext, recorder: EventRecorder) {
    this.#context = context;
    this.#recorder = recorder;
    this.#revisions = context.informers.informer<Revision>(kinds.Revision).lister;
  }

  async reconcileKind(configuration: OwnConfiguration, pass: Pass): Promise<undefined> {
    const found = this.#find(configuration);
    if (found !== null && 'taken' in found) {
      const message = `Revision creation failed with message: revisions.serving.knative.dev "${found.taken}" already exists.`;
      pass.conditions.markFalse(READY, 'RevisionFailed', message);
      return;
    }
    const revision = found?.revision ?? (await this.#create(configuration, pass));
    this.#observe(configuration, revision, pass);
    this.#updateLatestReady(configuration, pass);
  }

  /** CP-141. */
  #find(configuration: OwnConfiguration): Lookup {
    const { namespace, name, generation } = configuration.metadata;
    const wanted = configuration.spec.template.metadata?.name;
    if (!wanted) {
      const revision = this.#listOwn(namespace, name).find(
        ({ metadata }) => metadata.labels?.[CONFIGURATION_GENERATION_LABEL] === String(generation),
      );
      return revision === undefined ? null : { revision };
    }
    const revision = this.#revisions.get(namespace, wanted);
    if (revision === undefined) return null;
    if (!isControlledBy(revision, configuration)) return { taken: wanted };
    if (revision.metadata.labels?.[CONFIGURATION_GENERATION_LABEL] === String(generation)) {
      return { revision };
    }
    return deepEqual(revision.spec, configuration.spec.template.spec)
      ? { revision }
      : { taken: wanted };
  }

  #listOwn(namespace: string | undefined, configuration: string): Revision[] {
    return this.#revisions
      .byLabel(CONFIGURATION_LABEL, configuration)
      .filter(({ metadata }) => metadata.namespace === namespace);
  }

  /** CP-144. */
  async #create(configuration: OwnConfiguration, pass: Pass): Promise<Revision> {
    const desired = makeRevision(configuration, pass.nowMs);
    try {
      const revision = await this.#context.client.create(kinds.Revision, desired);
      const text = `Created Revision "${revision.metadata.name}"`;
      this.#recorder.normal(configuration, 'Created', text);
      return revision;
    } catch (error) {
      if (!isAlreadyExists(error)) {
        const text = messageOf(error);
        this.#recorder.warning(
          configuration,
          'CreationFailed',
          `Failed to create Revision: ${text}`,
        );
        const message = `Revision creation failed with message: ${text}.`;
        pass.conditions.markFalse(READY, 'RevisionFailed', message);
      }
      throw wrapError('failed to create Revision', error);
    }
  }

  /** CP-145, CP-146. */
  #observe(configuration: OwnConfiguration, revision: Revision, pass: Pass): void {
    const { status } = configuration;
    const name = revision.metadata.name;
    status.latestCreatedRevisionName = name;
    const before = pass.conditions.get(READY);
    if (status.latestReadyRevisionName !== name) pass.conditions.markUnknown(READY);
    const ready = findCondition(revision, READY);
    if (ready?.status === 'True' && !status.latestReadyRevisionName) {
      this.#recorder.normal(configuration, 'ConfigurationReady', 'Configuration becomes ready');
    }
    if (ready?.status !== 'False') return;
    const message = `Revision "${name}" failed with message: ${ready.message ?? ''}.`;
    pass.conditions.markFalse(READY, 'RevisionFailed', message);
    if (before?.status === 'False' && before.message === message) return;
    const isLatestReady = status.latestReadyRevisionName === name;
    this.#recorder.warning(
      configuration,
      isLatestReady ? 'LatestReadyFailed' : 'LatestCreatedFailed',
      `Latest ${isLatestReady ? 'ready' : 'created'} revision "${name}" has failed`,
    );
  }

  /** CP-147. */
  #updateLatestReady(configuration: OwnConfiguration, pass: Pass): void {
    const { status } = configuration;
    const { namespace, name } = configuration.metadata;
    const latest = findLatestReady(configuration, this.#listOwn(namespace, name));
    if (latest === undefined) return;
    const latestName = latest.metadata.name;
    if (status.latestReadyRevisionName !== latestName) {
      status.latestReadyRevisionName = latestName;
      const text = `LatestReadyRevisionName updated to "${latestName}"`;
      this.#recorder.normal(configuration, 'LatestReadyUpdate', text);
    }
    if (latestName === status.latestCreatedRevisionName) pass.conditions.markTrue(READY);
  }
}

export function createConfigurationReconciler(context: ControllerContext): {
  reconciler: Reconciler;
  recorder: EventRecorder;
} {
  const recorder = new EventRecorder({ ...context, component: 'configuration-controller' });
  const kind = new ConfigurationReconciler(context, recorder);
  const reconciler = new StatusPipeline<Configuration>(context, {
    kind: kinds.Configuration,
    conditionSet: CONDITION_SETS.Configuration,
    lister: context.informers.informer<Configuration>(kinds.Configuration).lister,
    recorder,
    reconcileKind: (configuration, pass) => kind.reconcileKind(configuration, pass),
  });
  return { reconciler, recorder };
}
