// How requests look on the wire, and what every way of failing looks like to the caller.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Deployment, KnativeService, Pod } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createKubeClient } from './client.ts';
import { ScriptedServer, sendJson } from './testing/scripted-server.ts';
import { KubeNetworkError, MAX_CONCURRENT_CALLS, REQUEST_TIMEOUT_MS } from './transport.ts';
import { ApiError, isConflict, isNotFound, type KubeClient } from './types.ts';

interface Seen {
  line: string;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
  port: number;
}

let clock: FakeClock;
let server: ScriptedServer;
let client: KubeClient;
let seen: Seen[];
let answer: { code: number; body: unknown; headers?: Record<string, string> };

beforeEach(async () => {
  clock = new FakeClock();
  server = new ScriptedServer();
  seen = [];
  answer = { code: 200, body: {} };
  server.list = server.other = (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      const line = `${request.method} ${request.url}`;
      seen.push({ line, headers: request.headers, body, port: request.socket.remotePort ?? 0 });
      for (const [name, value] of Object.entries(answer.headers ?? {})) {
        response.setHeader(name, value);
      }
      sendJson(response, answer.code, answer.body);
    });
  };
  client = createKubeClient({
    server: await server.start(),
    token: 's3cret',
    clock,
    logger: silentLogger,
    userAgent: 'pilotlight-test',
  });
});

afterEach(async () => {
  client.close();
  await server.stop();
});

const service: KubeObject = {
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { namespace: 'ns', name: 'hello' },
};

describe('client', () => {
  test('verbs become the paths of their kind, with credentials and a user agent', async () => {
    const key = { namespace: 'ns', name: 'hello' };
    await client.get(KnativeService, key);
    await client.create(KnativeService, service);
    await client.update(KnativeService, service);
    await client.updateStatus(KnativeService, service);
    await client.delete(Pod, key, { uid: 'u1', gracePeriodSeconds: 0 });
    const base = '/apis/serving.knative.dev/v1/namespaces/ns/services';
    expect(seen.map(({ line }) => line)).toEqual([
      `GET ${base}/hello`,
      `POST ${base}`,
      `PUT ${base}/hello`,
      `PUT ${base}/hello/status`,
      'DELETE /api/v1/namespaces/ns/pods/hello',
    ]);
    expect(seen[0]!.headers.authorization).toBe('Bearer s3cret');
    expect(seen[0]!.headers['user-agent']).toBe('pilotlight-test');
    expect(JSON.parse(seen[4]!.body)).toEqual({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid: 'u1' },
    });
  });

  const patches = [
    { type: 'merge', contentType: 'application/merge-patch+json' },
    { type: 'strategic', contentType: 'application/strategic-merge-patch+json' },
    { type: 'json', contentType: 'application/json-patch+json' },
  ] as const;
  for (const { type, contentType } of patches) {
    test(`KN-173: a ${type} patch names its content type`, async () => {
      const body = type === 'json' ? [] : {};
      const key = { namespace: 'ns', name: 'hello' };
      await client.patch(KnativeService, key, { type, body } as never);
      expect(seen[0]!.headers['content-type']).toBe(contentType);
    });
  }

  test('AS-137: a scale patch goes to the subresource', async () => {
    const body = [{ op: 'add', path: '/spec/replicas', value: 3 }];
    const key = { namespace: 'ns', name: 'd' };
    await client.patch(Deployment, key, { type: 'json', body }, { subresource: 'scale' });
    expect(seen[0]!.line).toBe('PATCH /apis/apps/v1/namespaces/ns/deployments/d/scale');
    expect(JSON.parse(seen[0]!.body)).toEqual(body);
  });

  test('KN-190: apply names manager and force', async () => {
    const patch = { type: 'apply', body: service, fieldManager: 'm', force: true } as const;
    await client.patch(KnativeService, { namespace: 'ns', name: 'hello' }, patch);
    expect(seen[0]!.line).toContain('?fieldManager=m&force=true');
    expect(seen[0]!.headers['content-type']).toBe('application/apply-patch+yaml');
  });

  test('requests in a row share one connection', async () => {
    for (let count = 0; count < 5; count += 1) {
      await client.get(Pod, { namespace: 'ns', name: 'a' });
    }
    expect(new Set(seen.map(({ port }) => port)).size).toBe(1);
  });

  test('a burst of calls uses few connections, and every call is answered', async () => {
    const calls = Array.from({ length: 200 }, () =>
      client.get(Pod, { namespace: 'ns', name: 'a' }),
    );
    expect(await Promise.all(calls)).toHaveLength(200);
    expect(new Set(seen.map(({ port }) => port)).size).toBeLessThanOrEqual(MAX_CONCURRENT_CALLS);
  });

  test('list items of built-in kinds are given their types', async () => {
    answer.body = { kind: 'PodList', metadata: {}, items: [{ metadata: { name: 'a' } }] };
    const list = await client.list(Pod, { namespace: 'ns', labelSelector: 'a=b,c', limit: 5 });
    expect(list.items[0]).toMatchObject({ apiVersion: 'v1', kind: 'Pod' });
    expect(seen[0]!.line).toBe('GET /api/v1/namespaces/ns/pods?labelSelector=a%3Db%2Cc&limit=5');
  });

  test('KN-210: a Status body becomes an ApiError', async () => {
    const message = 'the object has been modified';
    answer = { code: 409, body: { kind: 'Status', reason: 'Conflict', message, code: 409 } };
    const error = await client.update(KnativeService, service).catch((caught: unknown) => caught);
    expect(isConflict(error)).toBe(true);
    expect((error as Error).message).toBe(message);
  });

  test('an answer that is no Status becomes an ApiError with its text', async () => {
    answer = { code: 404, body: 'nothing here' };
    const error = await client.get(Pod, { name: 'a' }).catch((caught: unknown) => caught);
    expect(isNotFound(error)).toBe(true);
    expect((error as ApiError).message).toContain('nothing here');
  });

  test('KN-212: a throttled request is asked again after the time the server names', async () => {
    answer = { code: 429, body: { kind: 'Status', code: 429 }, headers: { 'Retry-After': '2' } };
    const result = client.get(Pod, { name: 'a' });
    while (seen.length < 1 || clock.pendingCount < 1) await new Promise(setImmediate);
    answer = { code: 200, body: service };
    while (seen.length < 2) {
      await new Promise(setImmediate);
      clock.advance(100);
    }
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(2_000);
    await expect(result).resolves.toEqual(service);
  });

  test('a server that never answers costs the timeout, no more', async () => {
    server.other = () => undefined;
    const result = client.get(Pod, { name: 'a' }).catch((error: unknown) => error);
    while (server.requests.length === 0) await new Promise(setImmediate);
    clock.advance(REQUEST_TIMEOUT_MS);
    expect(await result).toBeInstanceOf(KubeNetworkError);
  });

  test('an answer cut short is a network error', async () => {
    server.other = (_request, response) => {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('{"kind"');
      setImmediate(() => response.destroy());
    };
    const result = client.get(Pod, { name: 'a' });
    await expect(result).rejects.toBeInstanceOf(KubeNetworkError);
  });

  test('a read on a connection the server has just closed is repeated, a write is not', async () => {
    const normal = server.other;
    await client.get(Pod, { name: 'warm' });
    server.other = (request) => {
      server.other = normal;
      request.socket.destroy();
    };
    await client.get(Pod, { name: 'a' });
    expect(server.count(/pods\/a/)).toBe(2);
    server.other = (request) => {
      server.other = normal;
      request.socket.destroy();
    };
    await expect(client.create(KnativeService, service)).rejects.toBeInstanceOf(KubeNetworkError);
    expect(server.count(/POST/)).toBe(1);
  });

  test('a closed client refuses requests', async () => {
    client.close();
    await expect(client.get(Pod, { name: 'a' })).rejects.toBeInstanceOf(KubeNetworkError);
  });

  test('request streams the body and reports refusals as errors', async () => {
    answer = { code: 200, body: { hello: 1 } };
    const response = await client.request('GET', '/version');
    const chunks: Buffer[] = [];
    for await (const chunk of response.body) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('{"hello":1}');
    answer = { code: 403, body: { kind: 'Status', code: 403, reason: 'Forbidden' } };
    await expect(client.request('GET', '/version')).rejects.toBeInstanceOf(ApiError);
  });
});
