// The autoscaler's choice and the embedded Deployment controller's hand: of four pods the two with
// nothing to do go, although they are not the youngest.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { PodAutoscaler } from '../api/autoscaling.ts';
import type { Deployment, Pod } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import { IdleFirst } from '../autoscaler/idle-first.ts';
import { PodCounter } from '../autoscaler/pod-counter.ts';
import { ScaleTargets } from '../autoscaler/scale-target.ts';
import { ClusterHarness, NAMESPACE } from '../cluster/testing/harness.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { emptyStat } from '../wire/stat.ts';

const LABELS = {
  app: 'web',
  'serving.knative.dev/revision': 'web',
  'serving.knative.dev/revisionUID': 'u',
};
const PA = {
  metadata: { namespace: NAMESPACE, name: 'web' },
  spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
} as PodAutoscaler;

let harness: ClusterHarness;
beforeEach(() => {
  harness = new ClusterHarness();
});
afterEach(() => harness.stop());

it('idle pods go first', async () => {
  const { client, clock, informers } = harness;
  const pods = new PodCounter(informers.informer<Pod>(kinds.Pod));
  const deployments = informers.informer<Deployment>(kinds.Deployment).lister;
  const idleFirst = new IdleFirst({ client, pods, clock, logger: silentLogger });
  const logger = silentLogger;
  const targets = new ScaleTargets({ client, deployments, clock, logger, idleFirst });
  await harness.start();
  const template = { metadata: { labels: LABELS }, spec: { containers: [] } };
  const spec = { replicas: 4, selector: { matchLabels: { app: 'web' } }, template };
  await harness.createDeployment(spec as Partial<Deployment['spec']>);
  await harness.settle();
  const before = await harness.pods();
  await harness.readyAll();

  const [first, second, third, fourth] = before.map((pod) => pod.metadata.name) as [
    string,
    string,
    string,
    string,
  ];
  const load = { [first]: 0, [second]: 7, [third]: 0.1, [fourth]: 3 };
  idleFirst.note(
    `${NAMESPACE}/web`,
    Object.entries(load).map(([podName, averageConcurrentRequests]) => ({
      ...emptyStat(podName),
      averageConcurrentRequests,
    })),
  );
  await targets.scale(PA, 2);
  await harness.settle();
  const left = (await harness.pods()).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );
  expect(left.map((pod) => pod.metadata.name).sort()).toEqual([second, fourth].sort());
});
