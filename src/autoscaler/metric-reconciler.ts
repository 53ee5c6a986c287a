// Metric objects (AS-51 to AS-56): each is handed to the collector, and what the collector last met
// is its Ready condition. The step itself never fails (AS-55).

import type { Metric } from '../api/autoscaling.ts';
import { CONDITION_SETS, type ConditionManager, READY } from '../api/conditions.ts';
import * as kinds from '../api/kinds.ts';
import { messageOf, runWithStatus, type StatusPassDeps } from '../kube/status-pass.ts';
import type { Lister, ReconcileResult, Reconciler } from '../kube/types.ts';
import type { Collector } from './collector.ts';
import type { ScrapeFailure } from './scraper.ts';

export class MetricReconciler implements Reconciler {
  readonly #deps: StatusPassDeps;
  readonly #lister: Lister<Metric>;
  readonly #collector: Collector;

  constructor(deps: StatusPassDeps, lister: Lister<Metric>, collector: Collector) {
    this.#deps = deps;
    this.#lister = lister;
    this.#collector = collector;
  }

  async reconcile(key: string): Promise<ReconcileResult | undefined> {
    const cached = this.#lister.getByKey(key);
    if (cached === undefined) {
      this.#collector.delete(key);
      return undefined;
    }
    if (cached.metadata.deletionTimestamp !== undefined) return undefined;
    await runWithStatus(
      this.#deps,
      kinds.Metric,
      CONDITION_SETS.Metric,
      cached,
      (metric, conditions) => this.#collect(metric, conditions),
    );
    return undefined;
  }

  #collect(metric: Metric, conditions: ConditionManager): void {
    try {
      markCollection(conditions, this.#collector.ensure(metric));
    } catch (error) {
      markFailed(conditions, messageOf(error));
    }
  }
}

/** AS-55. */
function markCollection(conditions: ConditionManager, failure: ScrapeFailure | null): void {
  if (failure === null) conditions.markTrue(READY);
  else if (failure.condition === 'NoEndpoints') {
    conditions.markUnknown(READY, failure.condition, failure.message);
  } else if (failure.condition === 'DidNotReceiveStat') {
    conditions.markFalse(READY, failure.condition, failure.message);
  } else markFailed(conditions, failure.message);
}

function markFailed(conditions: ConditionManager, text: string): void {
  const message = `Failed to reconcile metric collection: ${text}`;
  conditions.markFalse(READY, 'CollectionFailed', message);
}
