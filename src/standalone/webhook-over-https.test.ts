// The webhook process with real sockets in front of the embedded API server: certificates, what a
// client may and may not send, reviews, two replicas, the end. What the API server itself does with
// the answers is test/kubernetes/webhook.test.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Secret } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { type ApiServer, startApiServer } from '../apiserver/start.ts';
import { loadManifests } from '../cli/manifests.ts';
import { systemClock } from '../clock/clock.ts';
import { createKubeClient } from '../kube/client.ts';
import type { KubeClient } from '../kube/types.ts';
import { silentLogger } from '../telemetry/logger.ts';
import {
  CONFIGURATIONS,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
  type WebhookConfiguration,
} from '../webhook/configurations.ts';
import { runWebhook } from '../webhook/process.ts';

const CONFIG = join(import.meta.dirname, '..', '..', 'config');
const NAMESPACE = 'knative-serving';
const HOST = 'webhook.knative-serving.svc';
const SECRET = { namespace: NAMESPACE, name: 'webhook-certs' };
const QUIET = { 'loglevel.webhook': 'fatal' };
const folder = mkdtempSync(join(tmpdir(), 'pilotlight-webhook-'));

let api: ApiServer;
let client: KubeClient;
let port: number;
let first: Replica;

interface Replica {
  port: number;
  signal(): void;
  exited: Promise<number>;
}

interface Reply {
  status: number;
  headers: Record<string, unknown>;
  text: string;
}

async function startReplica(args: readonly string[], more: object = {}): Promise<Replica> {
  let signal = (): void => undefined;
  let exit: (code: number) => void = () => undefined;
  const exited = new Promise<number>((resolve) => {
    exit = resolve;
  });
  const listening = await runWebhook({
    env: {
      SYSTEM_NAMESPACE: NAMESPACE,
      KUBECONFIG: join(folder, 'kubeconfig'),
      WEBHOOK_BIND_ADDRESS: '127.0.0.1',
      WEBHOOK_PORT: '0',
      WEBHOOK_DRAIN_SECONDS: '0.3',
      CLUSTER_DOMAIN: 'cluster.local',
      ...more,
    },
    args,
    clock: systemClock,
    random: () => 0.5,
    onSignal: (listener) => {
      signal = listener;
    },
    exit,
    printError: (line) => expect.fail(line),
  });
  return { port: listening ?? 0, signal: () => signal(), exited };
}

/** Asks again until `read` gives something; fails by the test's own timeout. */
async function eventually<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await read().catch(() => undefined);
    if (found !== undefined) return found;
    await systemClock.sleep(5);
  }
}

const certificates = (): Promise<Secret> =>
  eventually(async () => {
    const secret = await client.get<Secret>(kinds.Secret, SECRET);
    return secret.data?.['server-cert.pem'] === undefined ? undefined : secret;
  });
const pem = (secret: Secret, key: string): string =>
  Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');

async function send(
  path: string,
  body: unknown,
  headers: Record<string, string> = { 'content-type': 'application/json' },
  to = port,
): Promise<Reply> {
  const ca = pem(await certificates(), 'ca-cert.pem');
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: to, path, method: 'POST', headers, agent: false };
    const asked = request({ ...options, ca, servername: HOST }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}

function review(object: KubeObject, more: object = {}): object {
  const [group = '', version = ''] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : ['', object.apiVersion];
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group, version, kind: object.kind },
      operation: 'CREATE',
      userInfo: { username: 'ann' },
      object,
      oldObject: null,
      ...more,
    },
  };
}

const service = (image: string): KubeObject =>
  ({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'hello', namespace: 'default' },
    spec: { template: { spec: { containers: [{ image }] } } },
  }) as KubeObject;

/** The embedded API has no such kinds of its own: it admits in-process. */
async function installRegistrationKinds(): Promise<void> {
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

async function install(): Promise<void> {
  await client.create(kinds.Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE },
  });
  await installRegistrationKinds();
  const files = ['autoscaler', 'defaults', 'features', 'leader-election', 'logging'];
  const paths = [...files.map((name) => `config-${name}.yaml`), 'webhook.yaml'];
  const byKind = new Map<string, kinds.Kind>([
    ['ConfigMap', kinds.ConfigMap],
    ['Secret', kinds.Secret],
    ['MutatingWebhookConfiguration', MutatingWebhookConfiguration],
    ['ValidatingWebhookConfiguration', ValidatingWebhookConfiguration],
  ]);
  for (const { object } of loadManifests(paths.map((path) => join(CONFIG, path)))) {
    const kind = byKind.get(object.kind);
    const { data } = object as KubeObject & { data?: Record<string, string> };
    if (object.metadata.name === 'config-logging') Object.assign(data ?? {}, QUIET);
    if (kind !== undefined) await client.create(kind, object);
  }
}

beforeAll(async () => {
  api = await startApiServer({
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
  writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig);
  const connection = { server: api.url, caPem: api.caPem, token: api.token };
  client = createKubeClient({
    ...connection,
    clock: systemClock,
    logger: silentLogger,
    userAgent: 'test',
  });
  await install();
  first = await startReplica([]);
  port = first.port;
}, 30_000);

afterAll(async () => {
  first?.signal();
  await first?.exited;
  client?.close();
  await api?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the webhook process', () => {
  it('WH-3: fills the Secret; WH-11: registers its authority, paths and rules', async () => {
    const secret = await certificates();
    const caBundle = secret.data?.['ca-cert.pem'];
    const namespace = await client.get(kinds.Namespace, { name: NAMESPACE });
    for (const row of CONFIGURATIONS) {
      const found = await eventually(async () => {
        const each = await client.get<WebhookConfiguration>(row.kind, { name: row.name });
        return each.webhooks?.[0]?.clientConfig.caBundle === caBundle ? each : undefined;
      });
      expect(found.webhooks?.[0]).toMatchObject({
        clientConfig: { service: { name: 'webhook', namespace: NAMESPACE, path: row.path } },
        rules: row.rules,
      });
      expect(found.metadata.ownerReferences).toEqual([
        expect.objectContaining({ uid: namespace.metadata.uid, controller: false }),
      ]);
    }
  });

  it('WH-15, WH-191: defaulting answers with a patch', async () => {
    const { status, text } = await send('/defaulting?timeout=10s', review(service('hello')));
    const { apiVersion, kind, response } = JSON.parse(text);
    expect([status, apiVersion, kind]).toEqual([200, 'admission.k8s.io/v1', 'AdmissionReview']);
    expect(response).toMatchObject({ uid: 'u-1', allowed: true, patchType: 'JSONPatch' });
    const patch = JSON.parse(Buffer.from(response.patch, 'base64').toString('utf8'));
    expect(patch).toContainEqual({
      op: 'add',
      path: '/spec/traffic',
      value: [{ latestRevision: true, percent: 100 }],
    });
  });

  it('WH-16: a denial has the words of the specification, and WH-17 its warnings', async () => {
    const { status, text } = await send('/resource-validation', review(service('foo bar')));
    expect(status).toBe(200);
    const { response } = JSON.parse(text);
    expect(response).toMatchObject({
      allowed: false,
      status: { status: 'Failure', code: 400, reason: 'BadRequest' },
    });
    expect(response.status.message).toMatch(
      /^validation failed: Failed to parse image reference: spec\.template\.spec\.containers\[0\]\.image\n/,
    );
    expect(response.warnings).toHaveLength(1);
  });

  it('WH-19: a change of a config map counts at once', async () => {
    const limited = (): Promise<Reply> =>
      send('/resource-validation', {
        ...review({
          ...service('hello'),
          spec: { template: { spec: { containers: [{ image: 'hello' }], timeoutSeconds: 590 } } },
        } as KubeObject),
      });
    expect(JSON.parse((await limited()).text).response.status?.message ?? '').not.toContain('590');
    const body = { data: { 'max-revision-timeout-seconds': '500' } };
    const key = { namespace: NAMESPACE, name: 'config-defaults' };
    await client.patch(kinds.ConfigMap, key, { type: 'merge', body });
    await eventually(async () => {
      const { response } = JSON.parse((await limited()).text);
      return response.status?.message.includes('expected 0 <= 590 <= 500') ? true : undefined;
    });
  });

  it('WH-180: a dry run asks the API for a pod, and makes none', async () => {
    const verdict = async (namespace: string): Promise<{ allowed: boolean; status?: object }> => {
      const object = service('hello') as KubeObject & { spec: { traffic?: object[] } };
      object.metadata.namespace = namespace;
      object.spec.traffic = [{ latestRevision: true, percent: 100 }];
      const asked = review(object, { dryRun: true });
      return JSON.parse((await send('/resource-validation', asked)).text).response;
    };
    expect(await verdict('default')).toMatchObject({ allowed: true });
    expect((await verdict('nowhere')).status).toMatchObject({
      message:
        'validation callback failed: dry run failed with namespaces "nowhere" not found: spec.template',
    });
    expect((await client.list(kinds.Pod)).items).toEqual([]);
  });

  it('WH-170: a config map that does not parse is refused', async () => {
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'config-gc', namespace: 'elsewhere' },
      data: { 'min-non-active-revisions': '-1' },
    } as KubeObject;
    const { response } = JSON.parse((await send('/config-validation', review(map))).text);
    expect(response.status.message).toBe(
      'validation failed: min-non-active-revisions must be non-negative, was: -1',
    );
  });
});

describe('WH-2: the server', () => {
  it.each([
    ['text/plain', '/defaulting', 415, 'invalid Content-Type, want `application/json`\n'],
    [
      'application/json; charset=utf-8',
      '/x',
      415,
      'invalid Content-Type, want `application/json`\n',
    ],
    ['application/json', '/x', 400, 'no controller registered for: /x\n'],
    ['application/json', '/defaulting', 400, 'could not decode body:EOF\n'],
  ])('%s to %s is answered %i', async (type, path, status, text) => {
    const reply = await send(path, '', { 'content-type': type });
    expect([reply.status, reply.text]).toEqual([status, text]);
  });

  it('a body above 3 MiB is not read', async () => {
    const huge = `"${'x'.repeat(3 * 1024 * 1024)}"`;
    const reply = await send('/defaulting', huge).catch((error: Error) => error);
    // The answer may be overtaken by the end of the connection the rest of the body was meant for.
    if (!(reply instanceof Error)) {
      expect(reply.text).toBe('could not decode body:http: request body too large\n');
    }
  });

  it('WH-191: what is no review is told so', async () => {
    const reply = await send('/defaulting', '{"request": 1}');
    expect([reply.status, reply.text]).toEqual([
      400,
      'could not decode body:the review has no request\n',
    ]);
  });

  it('kubelet probes pass on any path; ING-60: a network probe gets its hash back', async () => {
    const kubelet = await send('/any', '', { 'user-agent': 'kube-probe/1.36' });
    expect(kubelet.status).toBe(200);
    const headers = { 'k-network-probe': 'probe', 'k-network-hash': 'h' };
    const hashed = await send('/any', '', headers);
    expect([hashed.status, hashed.headers['k-network-hash']]).toEqual([200, 'h']);
    expect((await send('/any', '', { 'k-network-probe': 'probe' })).status).toBe(400);
  });
});

describe('certificates and replicas', () => {
  it('WH-2: handshakes follow the Secret; WH-3: what is broken is made anew', async () => {
    const before = await certificates();
    const data = { 'server-key.pem': Buffer.from('broken').toString('base64') };
    await client.patch(kinds.Secret, SECRET, { type: 'merge', body: { data } });
    const after = await eventually(async () => {
      const secret = await client.get<Secret>(kinds.Secret, SECRET);
      const isNew = pem(secret, 'ca-cert.pem') !== pem(before, 'ca-cert.pem');
      return isNew ? secret : undefined;
    });
    expect(pem(after, 'server-key.pem')).toContain('BEGIN PRIVATE KEY');
    const headers = { 'user-agent': 'kube-probe/1.36' };
    const status = await eventually(async () => (await send('/', '', headers)).status);
    expect(status).toBe(200);
  });

  it('WH-4: a second replica serves the same certificates and writes nothing', async () => {
    const { metadata } = await certificates();
    const second = await startReplica([]);
    const headers = { 'user-agent': 'kube-probe/1.36' };
    expect((await send('/', '', headers, second.port)).status).toBe(200);
    expect((await certificates()).metadata.resourceVersion).toBe(metadata.resourceVersion);
    second.signal();
    expect(await second.exited).toBe(0);
  });

  it('WH-2: after the signal probes fail, reviews are served until it is quiet', async () => {
    const last = await startReplica(['--disable-ha']);
    last.signal();
    const headers = { 'user-agent': 'kube-probe/1.36' };
    const probe = await send('/', '', headers, last.port);
    expect([probe.status, probe.text]).toEqual([503, 'shutting down\n']);
    const json = { 'content-type': 'application/json' };
    const served = await send('/defaulting', review(service('hello')), json, last.port);
    expect(served.status).toBe(200);
    expect(await last.exited).toBe(0);
  });
});
