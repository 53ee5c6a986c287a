// Deletes Revisions nobody routes to any more (CP-390). Runs when a Configuration or one of its
// Revisions changes; a delete that fails is logged and left to the next run.

import * as kinds from '../../api/kinds.ts';
import { CONFIGURATION_LABEL } from '../../api/labels.ts';
import type { Configuration, Revision } from '../../api/serving.ts';
import type { Lister, Reconciler } from '../../kube/types.ts';
import type { ControllerContext } from '../context.ts';
import { revisionsToDelete } from './plan.ts';

export class RevisionGc implements Reconciler {
  readonly #context: ControllerContext;
  readonly #configurations: Lister<Configuration>;
  readonly #revisions: Lister<Revision>;

  constructor(context: ControllerContext) {
    const { informers } = context;
    this.#context = context;
    this.#configurations = informers.informer<Configuration>(kinds.Configuration).lister;
    this.#revisions = informers.informer<Revision>(kinds.Revision).lister;
  }

  async reconcile(key: string): Promise<undefined> {
    const configuration = this.#configurations.getByKey(key);
    if (configuration === undefined) return;
    if (configuration.metadata.deletionTimestamp !== undefined) return;
    const { client, clock, config, logger } = this.#context;
    const { namespace, name } = configuration.metadata;
    const own = this.#revisions
      .byLabel(CONFIGURATION_LABEL, name)
      .filter(
        ({ metadata }) =>
          metadata.namespace === namespace && metadata.deletionTimestamp === undefined,
      );
    for (const revision of revisionsToDelete(
      configuration,
      own,
      config.current.gc,
      clock.nowMs(),
    )) {
      const { name: revisionName, uid } = revision.metadata;
      try {
        const options = uid === undefined ? {} : { uid };
        await client.delete(kinds.Revision, { namespace, name: revisionName }, options);
        logger.info({ revision: `${namespace}/${revisionName}` }, 'revision garbage collected');
      } catch (error) {
        logger.warn({ revision: `${namespace}/${revisionName}`, error }, 'revision not deleted');
      }
    }
  }
}
