// Pods killed without a warning while an activator forwards to them. Real processes: activator,
// and pods of sidecar and application that are killed with SIGKILL at random and come back on their
// address, as containers do. The Endpoints never change, so the activator has to notice by itself.
// The applications write down what they ran: an answer is compared with deeds (ACT-57, ACT-123).

import { ActivatorCluster } from '../../test/support/activator-cluster.ts';
import { until } from '../../test/support/pilotlight.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';

const ACTIVATOR = '127.0.0.31';
const POD_COUNT = 4;
const LIMIT = 4;
const CLIENTS = 24;
/** A request takes so long in the application, so that a kill finds some inside. */
const WORK_MS = 30;
/** Of ten requests so many may be sent again by rule: GET. */
const READS_OF_TEN = 3;
const KILL_PAUSE_MS = 700;
const DOWN_MS = 400;

export const pods: TortureScenario = { name: 'pods', run };

interface Sent {
  readonly id: string;
  readonly isRead: boolean;
  readonly status: number;
}

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const seconds = options.seconds ?? (options.brief ? 5 : 60);
  const addresses = Array.from({ length: POD_COUNT }, (_unused, index) => `127.0.2.${index + 1}`);
  const cluster = await ActivatorCluster.start(LIMIT);
  try {
    await Promise.all(addresses.map((address) => cluster.startPod(address)));
    await cluster.startActivator(ACTIVATOR);
    await cluster.listPods(addresses);
    await cluster.listActivators([ACTIVATOR]);
    options.say(`${CLIENTS} clients, ${POD_COUNT} pods of ${LIMIT}, ${seconds} s of kills`);
    const state = { isOver: false, kills: 0 };
    const clients = Array.from({ length: CLIENTS }, (_unused, index) =>
      client(cluster, index, state),
    );
    await killAtRandom(cluster, addresses, seconds * 1000, state);
    state.isOver = true;
    const sent = (await Promise.all(clients)).flat();
    const rows = await judge(cluster, addresses, sent, state.kills);
    return [...rows, await recovers(cluster)];
  } finally {
    await cluster.stop();
  }
}

/** One request after the other; each has an identifier of its own. */
async function client(
  cluster: ActivatorCluster,
  index: number,
  state: { isOver: boolean },
): Promise<Sent[]> {
  const sent: Sent[] = [];
  while (!state.isOver) {
    const id = `${index}-${sent.length}`;
    const isRead = sent.length % 10 < READS_OF_TEN;
    const path = `/?id=${id}&ms=${WORK_MS}`;
    const { status } = await cluster.send(ACTIVATOR, path, isRead ? 'GET' : 'POST');
    sent.push({ id, isRead, status });
  }
  return sent;
}

/** At most half of the pods are down at once, so that there is always somewhere to go. */
async function killAtRandom(
  cluster: ActivatorCluster,
  addresses: readonly string[],
  durationMs: number,
  state: { kills: number },
): Promise<void> {
  const down = new Set<string>();
  const restarts: Promise<void>[] = [];
  const untilMs = performance.now() + durationMs;
  while (performance.now() < untilMs) {
    const up = addresses.filter((address) => !down.has(address));
    const victim = up[Math.floor(Math.random() * up.length)];
    if (victim !== undefined && down.size < POD_COUNT / 2) {
      down.add(victim);
      await cluster.killPod(victim);
      state.kills += 1;
      restarts.push(
        pause(DOWN_MS)
          .then(() => cluster.startPod(victim))
          .then(() => void down.delete(victim)),
      );
    }
    await pause(Math.random() * KILL_PAUSE_MS);
  }
  await Promise.all(restarts);
}

async function judge(
  cluster: ActivatorCluster,
  addresses: readonly string[],
  sent: readonly Sent[],
  kills: number,
): Promise<TortureRow[]> {
  const runs = cluster.runs(addresses);
  const runsOf = new Map<string, number>();
  for (const { id } of runs) runsOf.set(id, (runsOf.get(id) ?? 0) + 1);
  const ranTimes = ({ id }: Sent): number => runsOf.get(id) ?? 0;
  const failed = sent.filter(({ status }) => status === 502);
  const others = sent.filter(({ status }) => status !== 200 && status !== 502);
  const writes = sent.filter(({ isRead }) => !isRead);
  const twice = writes.filter((request) => ranTimes(request) > 1).length;
  const hollow = sent.filter((request) => request.status === 200 && ranTimes(request) === 0).length;
  const untouched = failed.filter((request) => ranTimes(request) === 0).length;
  const counted = await cluster.metric(ACTIVATOR, 'pilotlight_activator_failed_requests_total');
  const retried = await cluster.metric(ACTIVATOR, 'pilotlight_activator_retried_requests_total');
  const most = Math.max(...runs.map(({ inside }) => inside));
  return [
    { name: 'answers', ok: sent.length > 0 && others.length === 0, sent: sent.length, kills },
    // A pod had received at most as many as it has slots, so more cannot have been lost with it.
    {
      name: 'lost-with-a-pod',
      ok: failed.length <= kills * LIMIT,
      failed: failed.length,
      limit: kills * LIMIT,
      notInApp: untouched,
      retried,
    },
    { name: 'counted', ok: counted === failed.length, counted, failed: failed.length },
    { name: 'ran-once', ok: twice === 0 && hollow === 0, twice, hollow, writes: writes.length },
    { name: 'capacity', ok: most <= LIMIT, most, limit: LIMIT },
  ];
}

/** When all pods are back all of them are used. */
async function recovers(cluster: ActivatorCluster): Promise<TortureRow> {
  const answers = await Promise.all(
    Array.from({ length: POD_COUNT * LIMIT * 2 }, (_unused, index) =>
      cluster.send(ACTIVATOR, `/?id=after-${index}&ms=5`),
    ),
  );
  const failures = answers.filter(({ status }) => status !== 200).length;
  return { name: 'afterwards', ok: failures === 0, failures };
}

/** Real processes need real time; what is checked does not depend on it. */
async function pause(ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  await until('a pause', () => performance.now() >= untilMs, ms + 60_000);
}
