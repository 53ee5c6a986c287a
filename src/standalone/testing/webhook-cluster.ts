// The embedded API server with webhook processes in front of it, for webhook-over-https.test.ts:
// real sockets, a kubeconfig in a temporary folder, and what config/webhook.yaml installs.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Secret } from '../../api/core.ts';
import * as kinds from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import { type ApiServer, startApiServer } from '../../apiserver/start.ts';
import { loadManifests } from '../../cli/manifests.ts';
import { systemClock } from '../../clock/clock.ts';
import { createKubeClient } from '../../kube/client.ts';
import type { KubeClient } from '../../kube/types.ts';
import { silentLogger } from '../../telemetry/logger.ts';
import {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../../webhook/configurations.ts';
import { runWebhook } from '../../webhook/process.ts';

const CONFIG = join(import.meta.dirname, '..', '..', '..', 'config');
export const NAMESPACE = 'knative-serving';
export const SECRET = { namespace: NAMESPACE, name: 'webhook-certs' };
const HOST = 'webhook.knative-serving.svc';
const QUIET = { 'loglevel.webhook': 'fatal' };

export interface Replica {
  readonly port: number;
  signal(): void;
  readonly exited: Promise<number>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
}

export interface WebhookCluster {
  readonly client: KubeClient;
  startReplica(args: readonly string[]): Promise<Replica>;
  /** Waits for certificates, then posts `body` over a connection of its own. */
  send(port: number, path: string, body: unknown, headers?: Record<string, string>): Promise<Reply>;
  stop(): Promise<void>;
}

/** Asks again until `read` gives something; fails by the test's own timeout. */
export async function eventually<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await read().catch(() => undefined);
    if (found !== undefined) return found;
    await systemClock.sleep(5);
  }
}

export const pem = (secret: Secret, key: string): string =>
  Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');

/** Once they are made. */
export const certificates = (client: KubeClient): Promise<Secret> =>
  eventually(async () => {
    const secret = await client.get<Secret>(kinds.Secret, SECRET);
    return secret.data?.['server-cert.pem'] === undefined ? undefined : secret;
  });

export async function startWebhookCluster(): Promise<WebhookCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-webhook-'));
  const api = await startApi();
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, api.kubeconfig);
  const client = createKubeClient({
    server: api.url,
    caPem: api.caPem,
    token: api.token,
    clock: systemClock,
    logger: silentLogger,
    userAgent: 'test',
  });
  await install(client);
  return {
    client,
    startReplica: (args) => startReplica(kubeconfig, args),
    async send(port, path, body, headers = { 'content-type': 'application/json' }) {
      const ca = pem(await certificates(client), 'ca-cert.pem');
      return post({ port, path, headers, ca }, body);
    },
    async stop() {
      client.close();
      await api.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startApi(): Promise<ApiServer> {
  return startApiServer({
    dataDir: null,
    durability: 'kernel',
    host: '127.0.0.1',
    port: 0,
    userName: 'admin',
    admission: { admit: ({ object }) => ({ allowed: true, object, warnings: [] }) },
    podLogs: { open: () => Promise.resolve(null) } as never,
    clock: systemClock,
    logger: silentLogger,
  });
}

async function startReplica(kubeconfig: string, args: readonly string[]): Promise<Replica> {
  let signal = (): void => undefined;
  let exit: (code: number) => void = () => undefined;
  const exited = new Promise<number>((resolve) => {
    exit = resolve;
  });
  const port = await runWebhook({
    env: {
      SYSTEM_NAMESPACE: NAMESPACE,
      KUBECONFIG: kubeconfig,
      WEBHOOK_BIND_ADDRESS: '127.0.0.1',
      WEBHOOK_PORT: '0',
      WEBHOOK_DRAIN_SECONDS: '0.3',
      CLUSTER_DOMAIN: 'cluster.local',
    },
    args,
    clock: systemClock,
    random: () => 0.5,
    onSignal: (listener) => {
      signal = listener;
    },
    exit,
    printError: (line) => console.error(line),
  });
  if (port === null) throw new Error('the webhook did not start');
  return { port, signal: () => signal(), exited };
}

function post(
  target: { port: number; path: string; headers: Record<string, string>; ca: string },
  body: unknown,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', method: 'POST', agent: false, servername: HOST };
    const asked = request({ ...options, ...target }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      const { statusCode: status = 0, headers } = response;
      response.on('end', () => resolve({ status, headers, text }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** The embedded API has no such kinds of its own: it admits in-process. */
async function installRegistrationKinds(client: KubeClient): Promise<void> {
  for (const kind of [MutatingWebhookConfiguration, ValidatingWebhookConfiguration]) {
    const { group, plural, version } = kind;
    const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    await client.create(kinds.CustomResourceDefinition, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Cluster',
        names: { kind: kind.kind, plural, singular: kind.singular, listKind: `${kind.kind}List` },
        versions: [
          { name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } },
        ],
      },
    } as KubeObject);
  }
  await eventually(() => client.list(MutatingWebhookConfiguration));
  await eventually(() => client.list(ValidatingWebhookConfiguration));
}

async function install(client: KubeClient): Promise<void> {
  const metadata = { name: NAMESPACE };
  await client.create(kinds.Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata });
  await installRegistrationKinds(client);
  const maps = ['autoscaler', 'defaults', 'features', 'leader-election', 'logging'];
  const files = [...maps.map((name) => `config-${name}.yaml`), 'webhook.yaml'];
  const byKind = new Map<string, kinds.Kind>([
    ['ConfigMap', kinds.ConfigMap],
    ['Secret', kinds.Secret],
    ['MutatingWebhookConfiguration', MutatingWebhookConfiguration],
    ['ValidatingWebhookConfiguration', ValidatingWebhookConfiguration],
  ]);
  for (const { object } of loadManifests(files.map((file) => join(CONFIG, file)))) {
    const kind = byKind.get(object.kind);
    const { data } = object as KubeObject & { data?: Record<string, string> };
    if (object.metadata.name === 'config-logging') Object.assign(data ?? {}, QUIET);
    if (kind !== undefined) await client.create(kind, object);
  }
}
