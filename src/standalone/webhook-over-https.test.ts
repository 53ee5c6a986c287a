// The webhook process with real sockets in front of the embedded API server: certificates, what a
// client may and may not send, reviews, two replicas, the end. What the API server itself does with
// the answers is test/kubernetes/webhook.test.ts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Secret } from '../api/core.ts';
import * as kinds from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import type { KubeClient } from '../kube/types.ts';
import { CONFIGURATIONS, type WebhookConfiguration } from '../webhook/configurations.ts';
import {
  certificates,
  eventually,
  NAMESPACE,
  pem,
  type Replica,
  type Reply,
  SECRET,
  startWebhookCluster,
  type WebhookCluster,
} from './testing/webhook-cluster.ts';

let cluster: WebhookCluster;
let client: KubeClient;
let first: Replica;

beforeAll(async () => {
  cluster = await startWebhookCluster();
  client = cluster.client;
  first = await cluster.startReplica([]);
}, 30_000);

afterAll(async () => {
  first?.signal();
  await first?.exited;
  await cluster?.stop();
});

const send = (
  path: string,
  body: unknown,
  headers?: Record<string, string>,
  to = first.port,
): Promise<Reply> => cluster.send(to, path, body, headers);

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

describe('the webhook process', () => {
  it('WH-3: fills the Secret; WH-11: registers its authority, paths and rules', async () => {
    const secret = await certificates(client);
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
    const before = await certificates(client);
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
    const { metadata } = await certificates(client);
    const second = await cluster.startReplica([]);
    const headers = { 'user-agent': 'kube-probe/1.36' };
    expect((await send('/', '', headers, second.port)).status).toBe(200);
    expect((await certificates(client)).metadata.resourceVersion).toBe(metadata.resourceVersion);
    second.signal();
    expect(await second.exited).toBe(0);
  });

  it('WH-2: after the signal probes fail, reviews are served until it is quiet', async () => {
    const last = await cluster.startReplica(['--disable-ha']);
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
