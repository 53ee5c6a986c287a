// Two autoscaler processes against one API, and the leader killed while stats flow: the other goes
// on from where it was. Real processes, sockets and leases; short timings, waits on conditions.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { AdmissionPlugin } from '../../src/api/admission.ts';
import type { DecisionsDocument } from '../../src/api/decisions.ts';
import * as kinds from '../../src/api/kinds.ts';
import type { KubeObject } from '../../src/api/objects.ts';
import { type ApiServer, startApiServer } from '../../src/apiserver/start.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { emptyStat, encodeStatMessages } from '../../src/wire/stat.ts';
import { StatClient } from '../../src/wire/stat-client.ts';
import { MAIN } from '../support/pilotlight.ts';

const SYSTEM = 'knative-serving';
const BUCKET = 'autoscaler-bucket-00-of-01';
const NAMES = { namespace: 'default', name: 'hello' };
/** Another build than dist/. */
const PROGRAM = process.env['PILOTLIGHT_MAIN'] ?? MAIN;
const LIMIT_MS = 60_000;

const admitAll: AdmissionPlugin = {
  admit: (request) => ({ allowed: true, object: request.object, warnings: [] }),
};
let folder = '';
let api: ApiServer;
let client: KubeClient;
let port = 0;
const children: ChildProcess[] = [];
const cleanups: (() => unknown)[] = [];

async function eventually<T>(what: string, read: () => Promise<T | null | undefined>): Promise<T> {
  const untilMs = systemClock.monotonicMs() + LIMIT_MS;
  while (systemClock.monotonicMs() < untilMs) {
    const found = await read().catch(() => undefined);
    if (found !== null && found !== undefined) return found;
    await systemClock.sleep(20);
  }
  throw new Error(`waited in vain for ${what}`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pilotlight-fail-over-'));
  const clock = systemClock;
  api = await startApiServer({
    dataDir: null,
    durability: 'kernel',
    host: '127.0.0.1',
    port: 0,
    userName: 'admin',
    admission: admitAll,
    podLogs: { open: () => Promise.resolve(null) } as never,
    clock,
    logger: silentLogger,
  });
  writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig, { mode: 0o600 });
  const connection = { server: api.url, caPem: api.caPem, token: api.token };
  client = createKubeClient({ ...connection, clock, logger: silentLogger, userAgent: 'test' });
  port = await freePort();
  await createObjects();
});

afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  for (const child of children) child.kill('SIGKILL');
  client.close();
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const found = (probe.address() as { port: number }).port;
  probe.close();
  await once(probe, 'close');
  return found;
}

async function createObjects(): Promise<void> {
  const create = (kind: kinds.Kind, object: object) =>
    client.create(kind, {
      apiVersion: kinds.apiVersionOf(kind),
      kind: kind.kind,
      ...object,
    } as KubeObject);
  await create(kinds.Namespace, { metadata: { name: SYSTEM } });
  await create(kinds.ConfigMap, {
    metadata: { namespace: SYSTEM, name: 'config-leader-election' },
    data: { 'lease-duration': '3s', 'renew-deadline': '2s', 'retry-period': '250ms' },
  });
  const labels = {
    'serving.knative.dev/configuration': 'hello',
    'serving.knative.dev/revision': 'hello',
    'serving.knative.dev/revisionUID': 'u',
  };
  await create(kinds.Deployment, {
    metadata: { namespace: 'default', name: 'hello-deployment', labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    },
  });
  await create(kinds.PodAutoscaler, {
    metadata: {
      ...NAMES,
      labels,
      annotations: {
        'autoscaling.knative.dev/class': 'kpa.autoscaling.knative.dev',
        'autoscaling.knative.dev/metric': 'concurrency',
        'autoscaling.knative.dev/target': '10',
        'autoscaling.knative.dev/target-utilization-percentage': '100',
        'autoscaling.knative.dev/window': '60s',
      },
    },
    spec: {
      containerConcurrency: 0,
      protocolType: 'http1',
      reachability: 'Reachable',
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'hello-deployment' },
    },
  });
}

/** What the SKS controller would say; there is none here. */
async function answerForSks(): Promise<void> {
  const sks = await eventually('the SKS', () =>
    client.get<KubeObject>(kinds.ServerlessService, NAMES),
  );
  const status = { serviceName: 'hello', privateServiceName: 'hello-private' };
  await client.updateStatus(kinds.ServerlessService, { ...sks, status } as KubeObject);
}

interface Member {
  child: ChildProcess;
  address: string;
  output: string;
}

function startMember(podName: string, address: string): Member {
  const child = spawn(process.execPath, [PROGRAM, 'autoscaler'], {
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: join(folder, 'kubeconfig'),
      POD_NAME: podName,
      POD_IP: address,
      SYSTEM_NAMESPACE: SYSTEM,
      AUTOSCALER_BIND_ADDRESS: address,
      AUTOSCALER_PORT: String(port),
      AUTOSCALER_METRICS_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const member = { child, address, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => {
      member.output += data.toString();
    });
  }
  return member;
}

/** Null = it does not decide for the revision. */
async function decisionsOf({ address }: Member): Promise<DecisionsDocument | null> {
  const answer = await fetch(`http://${address}:${port}/decisions/default/hello`);
  return answer.ok ? ((await answer.json()) as DecisionsDocument) : null;
}

async function isServing({ address }: Member): Promise<true | null> {
  const headers = { 'user-agent': 'kube-probe/1.30' };
  const answer = await fetch(`http://${address}:${port}/`, { headers });
  return answer.ok ? true : null;
}

async function holder(): Promise<string> {
  const key = { namespace: SYSTEM, name: BUCKET };
  const lease = await client.get<KubeObject & { spec: { holderIdentity?: string } }>(
    kinds.Lease,
    key,
  );
  return lease.spec.holderIdentity ?? '';
}

/** As an activator does: 40 requests at once, every second, to whoever it is connected to. */
function pushStats(address: string): void {
  const sender = new StatClient({
    url: () => `ws://${address}:${port}`,
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
  });
  sender.start();
  const stat = { ...emptyStat('activator-0'), averageConcurrentRequests: 40, requestCount: 40 };
  const ticker = systemClock.setTicker(1000, () => {
    sender.send(encodeStatMessages([{ ...NAMES, stat: { ...stat } }]));
  });
  cleanups.push(() => {
    ticker.cancel();
    sender.stop();
  });
}

describe('two autoscaler processes', () => {
  it('AS-178, improved on: after kill -9 of the leader the other decides as it did', async () => {
    const first = startMember('as-0', '127.0.0.2');
    await eventually('the first', () => isServing(first));
    await answerForSks();
    await eventually(
      'the first to lead',
      async () => (await holder()) === 'as-0_127.0.0.2' || null,
    );
    const second = startMember('as-1', '127.0.0.3');
    await eventually('the second', () => isServing(second));
    pushStats(second.address);
    const steady = await eventually('a recommendation', async () => {
      const decisions = await decisionsOf(first);
      return decisions?.recommendation === 4 ? decisions : null;
    });
    const seenMs = Date.parse(steady.decisions[0]!.lastAt);
    const before = await eventually('two more decisions', async () => {
      const decisions = await decisionsOf(first);
      const lastMs = Date.parse(decisions?.decisions[0]?.lastAt ?? '');
      return lastMs - seenMs >= 4000 ? decisions : null;
    });
    first.child.kill('SIGKILL');
    const after = await eventually('the second to decide', () => decisionsOf(second));
    expect(after.recommendation).toBe(before.recommendation);
    expect(after.panic.since).toBe(before.panic.since);
    expect(await holder()).toBe('as-1_127.0.0.3');
    const deployment = await client.get<KubeObject & { spec: { replicas: number } }>(
      kinds.Deployment,
      { namespace: 'default', name: 'hello-deployment' },
    );
    expect(deployment.spec.replicas).toBe(before.recommendation);
  });

  it('AS-168, AS-182: a signal gives the lease back and tells clients to come again', async () => {
    const second = { child: children[1]!, address: '127.0.0.3', output: '' };
    const socket = new WebSocket(`ws://${second.address}:${port}`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    second.child.kill('SIGTERM');
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([1012, 'Restarting']);
    if (second.child.exitCode === null) await once(second.child, 'exit');
    expect(second.child.exitCode).toBe(0);
    expect(await holder()).toBe('');
  });

  it('AS-167: refuses to start without an identity', async () => {
    const child = spawn(process.execPath, [PROGRAM, '--role', 'autoscaler'], {
      env: { PATH: process.env['PATH'], POD_NAME: 'as-0', SYSTEM_NAMESPACE: SYSTEM },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (data: Buffer) => {
      text += data.toString();
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(2);
    expect(text).toContain('POD_IP environment variable not set');
  });
});
