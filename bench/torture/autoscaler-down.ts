// An autoscaler that is gone for a while: real processes of activator and autoscaler against one
// API, a revision at zero, requests held meanwhile. The autoscaler is killed, stays away, comes
// back; nobody is lost, and scaling resumes within one report period (ACT-144, ACT-147, ACT-127).
// The scenario plays kubelet: when the Deployment has replicas it starts the pod.

import * as kinds from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/objects.ts';
import {
  ActivatorCluster,
  type Answer,
  REVISION,
  SYSTEM,
} from '../../test/support/activator-cluster.ts';
import { until } from '../../test/support/pilotlight.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';

const ACTIVATOR = '127.0.0.41';
const POD = '127.0.3.1';
/** ACT-125, and a little for the write itself. */
const MAX_RESUME_MS = 1_200;
const HELD = 20;
const KEY = { namespace: 'default', name: REVISION };
const LABELS = {
  'serving.knative.dev/configuration': 'hello',
  'serving.knative.dev/revision': REVISION,
  'serving.knative.dev/revisionUID': 'u-1',
};

export const autoscalerDown: TortureScenario = { name: 'autoscaler-down', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const seconds = options.seconds ?? (options.brief ? 2 : 30);
  const cluster = await ActivatorCluster.start(0);
  try {
    await createRevisionAtZero(cluster);
    const first = await cluster.startAutoscaler();
    await answerForSks(cluster);
    await cluster.startActivator(ACTIVATOR);
    await cluster.listActivators([ACTIVATOR]);
    await healthIs(cluster, 200);
    options.say(`the autoscaler is killed and away for ${seconds} s`);
    await first.kill('SIGKILL');
    await healthIs(cluster, 500);
    const held = hold(cluster);
    await pause(seconds * 1000);
    const early = held.answers.length;
    const second = await cluster.startAutoscaler();
    await until(
      'replicas',
      async () => (await replicas(cluster)) > 0,
      60_000,
      () => second.output,
    );
    await cluster.startPod(POD);
    await cluster.listPods([POD]);
    const answers = await Promise.all(held.requests);
    const failures = answers.filter(({ status }) => status !== 200).length;
    const runs = cluster.runs([POD]).length;
    const resumedMs = between(second.output, 'stat connection opened', 'scaled');
    return [
      { name: 'held', ok: early === 0, answeredMeanwhile: early },
      { name: 'survived', ok: failures === 0 && runs === HELD, failures, runs, held: HELD },
      {
        name: 'resumed',
        ok: Number.isFinite(resumedMs) && (options.brief || resumedMs <= MAX_RESUME_MS),
        resumedMs,
        limitMs: MAX_RESUME_MS,
      },
      { name: 'health', ok: (await cluster.probe(ACTIVATOR)).status === 200 },
    ];
  } finally {
    await cluster.stop();
  }
}

function hold(cluster: ActivatorCluster): { requests: Promise<Answer>[]; answers: Answer[] } {
  const answers: Answer[] = [];
  const requests = Array.from({ length: HELD }, async (_unused, index) => {
    const answer = await cluster.send(ACTIVATOR, `/?id=held-${index}`);
    answers.push(answer);
    return answer;
  });
  return { requests, answers };
}

async function createRevisionAtZero(cluster: ActivatorCluster): Promise<void> {
  const map = (name: string, data: Record<string, string>) =>
    cluster.create(kinds.ConfigMap, { metadata: { namespace: SYSTEM, name }, data });
  await map('config-autoscaler', { 'allow-zero-initial-scale': 'true' });
  await map('config-leader-election', {
    'lease-duration': '3s',
    'renew-deadline': '2s',
    'retry-period': '250ms',
  });
  await cluster.create(kinds.Deployment, {
    metadata: { namespace: 'default', name: `${REVISION}-deployment`, labels: LABELS },
    spec: {
      replicas: 0,
      selector: { matchLabels: LABELS },
      template: { metadata: { labels: LABELS }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  await cluster.create(kinds.PodAutoscaler, {
    metadata: {
      ...KEY,
      labels: LABELS,
      annotations: {
        'autoscaling.knative.dev/class': 'kpa.autoscaling.knative.dev',
        'autoscaling.knative.dev/metric': 'concurrency',
        'autoscaling.knative.dev/initial-scale': '0',
      },
    },
    spec: {
      containerConcurrency: 0,
      protocolType: 'http1',
      reachability: 'Reachable',
      scaleTargetRef: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: `${REVISION}-deployment`,
      },
    },
  });
}

/** What the controller of ServerlessServices would say. */
async function answerForSks({ client }: ActivatorCluster): Promise<void> {
  const sks = await until('the SKS', () =>
    client.get<KubeObject>(kinds.ServerlessService, KEY).catch(() => undefined),
  );
  const status = { serviceName: REVISION, privateServiceName: `${REVISION}-private` };
  await client.updateStatus(kinds.ServerlessService, { ...sks, status } as KubeObject);
}

async function replicas({ client }: ActivatorCluster): Promise<number> {
  const key = { namespace: 'default', name: `${REVISION}-deployment` };
  const found = await client.get<KubeObject & { spec: { replicas: number } }>(
    kinds.Deployment,
    key,
  );
  return found.spec.replicas;
}

async function healthIs(cluster: ActivatorCluster, status: number): Promise<void> {
  await until(`health ${status}`, async () => (await cluster.probe(ACTIVATOR)).status === status);
}

/** Milliseconds between the first lines of a log with those messages. */
function between(output: string, from: string, to: string): number {
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  const at = (message: string): number => {
    const line = lines.find((text) => text.includes(`"message":"${message}"`)) ?? '{}';
    return Date.parse((JSON.parse(line) as { timestamp?: string }).timestamp ?? '');
  };
  return at(to) - at(from);
}

/** The length is the scenario's subject. */
async function pause(ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  await until('a pause', () => performance.now() >= untilMs, ms + 60_000);
}
