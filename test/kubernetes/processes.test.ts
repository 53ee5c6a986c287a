// The controller and the autoscaler as the processes a cluster runs: from dist, by environment and kubeconfig,
// with nothing but the rights config/rbac.yaml gives their account, led through Leases. Only on the
// server started for this run. Kubelet and gateway are played by hand, as in reconcilers.test.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { stockConfig } from '../../src/api/config/registry.ts';
import * as kinds from '../../src/api/kinds.ts';
import { CLUSTER_DOMAIN, SYSTEM_NAMESPACE } from '../../src/api/labels.ts';
import { controllerOf, type KubeObject } from '../../src/api/objects.ts';
import { kubeconfigText } from '../../src/apiserver/kubeconfig.ts';
import { isAlreadyExists, isNotFound, type KubeClient } from '../../src/kube/types.ts';
import { createAdmission } from '../../src/webhook/admit.ts';
import { type AnyObject, condition, MAIN, temporaryFolder, until } from '../support/pilotlight.ts';
import { type AdmissionServer, startAdmission } from './support/admission-server.ts';
import { ensureNamespace, openClient } from './support/client.ts';
import { installKinds } from './support/crds.ts';
import { applyStrictly, manifests } from './support/manifests.ts';
import {
  CHILDREN_OF_HELLO,
  createActivatorService,
  runPod,
  serveIngress,
} from './support/serving.ts';

const { kubeconfig, isOwn } = inject('cluster');
const namespace = 'processes';
const folder = temporaryFolder();
const RIGHTS = new Set(['Namespace', 'ServiceAccount', 'ClusterRole', 'ConfigMap']);
let client: KubeClient;
let admission: AdmissionServer;
const running: RoleUnderTest[] = [];

class RoleUnderTest {
  readonly child: ChildProcess;
  output = '';

  constructor(role: string, path: string) {
    const env = {
      PATH: process.env['PATH'],
      KUBECONFIG: path,
      SYSTEM_NAMESPACE,
      POD_NAME: `${role}-0`,
      POD_IP: '127.0.0.1',
      CONTROLLER_BIND_ADDRESS: '127.0.0.1',
      CONTROLLER_PROBE_PORT: '0',
      AUTOSCALER_BIND_ADDRESS: '127.0.0.1',
      AUTOSCALER_PORT: '0',
      AUTOSCALER_METRICS_PORT: '0',
    };
    this.child = spawn(process.execPath, [MAIN, role], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
      });
    }
  }

  async whenStarted(): Promise<void> {
    await until(
      'the role to start',
      () => {
        if (this.child.exitCode !== null) throw new Error(`ended: ${this.output}`);
        return this.output.includes(' started');
      },
      60_000,
      () => this.output,
    );
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }
}

/** A kubeconfig of the account the roles have on a cluster. */
async function accountKubeconfig(admin: string): Promise<string> {
  const path = `/api/v1/namespaces/${SYSTEM_NAMESPACE}/serviceaccounts/controller/token`;
  const answer = await client.request('POST', path, {
    contentType: 'application/json',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
  });
  let text = '';
  for await (const chunk of answer.body) text += String(chunk);
  const { status } = JSON.parse(text) as { status: { token: string } };
  const { clusters } = parse(readFileSync(admin, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  };
  const { server, 'certificate-authority-data': ca } = clusters[0]!.cluster;
  const caPem = Buffer.from(ca, 'base64').toString('utf8');
  const written = join(folder, 'kubeconfig');
  const userName = 'controller';
  writeFileSync(written, kubeconfigText({ url: server, caPem, token: status.token, userName }));
  return written;
}

/** Nobody here aggregates roles, so the account gets the one that the others are gathered into. */
const binding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'processes-test' },
  subjects: [{ kind: 'ServiceAccount', name: 'controller', namespace: SYSTEM_NAMESPACE }],
  roleRef: {
    kind: 'ClusterRole',
    name: 'knative-serving-core',
    apiGroup: 'rbac.authorization.k8s.io',
  },
};

beforeAll(async () => {
  if (!isOwn || kubeconfig === null) return;
  client = await openClient(kubeconfig);
  await installKinds(client);
  await ensureNamespace(client, SYSTEM_NAMESPACE);
  await ensureNamespace(client, namespace);
  for (const object of manifests().filter(({ kind }) => RIGHTS.has(kind))) {
    await applyStrictly(client, object, { dryRun: false });
  }
  await applyStrictly(client, binding as KubeObject, { dryRun: false });
  await createActivatorService(client).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  const config = stockConfig(CLUSTER_DOMAIN);
  admission = await startAdmission(client, createAdmission({ config: () => config }));
  const path = await accountKubeconfig(kubeconfig);
  running.push(new RoleUnderTest('controller', path), new RoleUnderTest('autoscaler', path));
  await Promise.all(running.map((role) => role.whenStarted()));
});
afterAll(async () => {
  for (const role of running) await role.end('SIGKILL');
  await admission?.stop();
  client?.close();
  rmSync(folder, { recursive: true, force: true });
});

const find = async (kind: kinds.Kind, name: string): Promise<AnyObject | undefined> => {
  try {
    return await client.get<AnyObject>(kind, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
};
const outputs = (): string => running.map(({ output }) => output).join('\n');
const there = (kind: kinds.Kind, name: string): Promise<AnyObject> =>
  until(`${kind.kind} ${name}`, () => find(kind, name), 30_000, outputs);
const ready = (kind: kinds.Kind, name: string): Promise<boolean> =>
  until(
    `${kind.kind} ${name} ready`,
    async () => condition(await there(kind, name), 'Ready')?.status === 'True',
    30_000,
    outputs,
  );
const owner = (object: KubeObject): string => {
  const reference = controllerOf(object);
  return `${reference?.kind}/${reference?.name}`;
};

describe.skipIf(!isOwn)('controller and autoscaler as processes on a real API server', () => {
  it('CP-530: a Service gets its children, each from the right parent', async () => {
    await client.create(kinds.KnativeService, {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Service',
      metadata: { name: 'hello', namespace },
      spec: { template: { spec: { containers: [{ image: 'dev.local/app:1' }] } } },
    } as KubeObject);
    const image = [
      kinds.Image,
      'hello-00001-cache-user-container',
      'Revision/hello-00001',
    ] as const;
    for (const [kind, name, parent] of [...CHILDREN_OF_HELLO, image]) {
      expect(owner(await there(kind, name)), `${kind.kind} ${name}`).toBe(parent);
    }
  });

  it('CP-6: each control loop is led through Leases that name their holder', async () => {
    const key = { namespace: SYSTEM_NAMESPACE };
    const { items } = await client.list<AnyObject>(kinds.Lease, key);
    const holders = items.map(({ spec }) => String(spec?.['holderIdentity']));
    expect(holders.some((holder) => holder.startsWith('controller-0_'))).toBe(true);
    expect(holders.some((holder) => holder.startsWith('autoscaler-0_'))).toBe(true);
  });

  it('CP-530: it is ready once a pod runs and the gateway serves', async () => {
    await runPod(client, namespace, 'hello-00001');
    await ready(kinds.Revision, 'hello-00001');
    await there(kinds.Ingress, 'hello');
    await serveIngress(client, namespace, 'hello');
    await ready(kinds.KnativeService, 'hello');
  });

  it('CP-8: a signal ends them with 0, and no right was missing on the way', async () => {
    await client.delete(kinds.KnativeService, { namespace, name: 'hello' });
    await until('the Route to go', async () => (await find(kinds.Route, 'hello')) === undefined);
    const codes = await Promise.all(running.map((role) => role.end('SIGTERM')));
    expect(codes).toEqual([0, 0]);
    expect(outputs()).not.toMatch(/forbidden|"level":"error"/i);
  });
});
