// Watches Knative Services and says in one word how each is doing, for the person at the terminal.
// Not hot.

import { findCondition, isReady, READY } from '../api/conditions.ts';
import { KnativeService as KnativeServiceKind } from '../api/kinds.ts';
import { objectKey } from '../api/objects.ts';
import type { KnativeService } from '../api/serving.ts';
import type { InformerFactory } from '../kube/types.ts';
import type { ServiceReport } from './messages.ts';

/** Calls `report` for every change a person would notice. Returns a stop function. */
export function watchServices(
  informers: InformerFactory,
  report: (report: ServiceReport) => void,
): () => void {
  const sent = new Map<string, string>();
  return informers.informer<KnativeService>(KnativeServiceKind).onChange((current, previous) => {
    if (current === null) {
      if (previous !== null) sent.delete(objectKey(previous));
      return;
    }
    const now = describeKnativeService(current);
    const text = JSON.stringify(now);
    if (sent.get(now.service) === text) return;
    sent.set(now.service, text);
    report(now);
  });
}

/**
 * Sends reports in the order they come; where a URL is https, with the file of whom to trust. What
 * it returns resolves when the report is sent.
 */
export function orderedReports(
  send: (report: ServiceReport) => void,
  caFile: () => Promise<string | null>,
): (report: ServiceReport) => Promise<void> {
  let last = Promise.resolve();
  return (report) => {
    last = last.then(async () => {
      const isSecure = report.url?.startsWith('https:') === true;
      send(isSecure ? { ...report, caFile: await caFile().catch(() => null) } : report);
    });
    return last;
  };
}

export function describeKnativeService(service: KnativeService): ServiceReport {
  const ready = findCondition(service, READY);
  // A Service whose Revision failed also has no route to it; the first is the one to hear about.
  const cause = findCondition(service, 'ConfigurationsReady');
  const condition = ready?.status === 'False' && cause?.status === 'False' ? cause : ready;
  const isCurrent = service.status?.observedGeneration === service.metadata.generation;
  const isFailed = isCurrent && ready?.status === 'False';
  return {
    service: objectKey(service),
    isReady: isReady(service) ? true : isFailed ? false : null,
    reason: condition?.reason ?? '',
    message: condition?.message ?? '',
    url: service.status?.url ?? null,
    caFile: null,
  };
}
