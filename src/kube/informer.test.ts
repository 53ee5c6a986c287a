// The informer against a real HTTP server that misbehaves in every way a real one may.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Pod } from '../api/kinds.ts';
import { type KubeObject, objectKey } from '../api/objects.ts';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createKubeClient } from './client.ts';
import { createInformerFactory } from './informer.ts';
import { emptyList, open, ScriptedServer, sendJson } from './testing/scripted-server.ts';
import type { Informer, InformerFactory, KubeClient } from './types.ts';

let clock: FakeClock;
let server: ScriptedServer;
let client: KubeClient;
let factory: InformerFactory;
let informer: Informer<KubeObject>;
let changes: string[];

beforeEach(async () => {
  clock = new FakeClock();
  server = new ScriptedServer();
  const url = await server.start();
  client = createKubeClient({ server: url, clock, logger: silentLogger, userAgent: 'test' });
  factory = createInformerFactory(client, { clock, logger: silentLogger, random: () => 0.5 });
  informer = factory.informer(Pod);
  changes = [];
  informer.onChange((current, previous) => changes.push(describeChange(current, previous)));
});

afterEach(async () => {
  await factory.stop();
  client.close();
  await server.stop();
});

const describeChange = (current: KubeObject | null, previous: KubeObject | null): string => {
  const object = (current ?? previous)!;
  const verb = previous === null ? 'add' : current === null ? 'delete' : 'change';
  return `${verb} ${objectKey(object)} ${object.metadata.uid}@${object.metadata.resourceVersion}`;
};

const pod = (name: string, uid: string, version: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'ns', name, uid, resourceVersion: String(version) },
});

const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;

/** Lets sockets work, moving the fake clock a little so that back-offs pass. */
async function until(isTrue: () => boolean, stepMs = 1): Promise<void> {
  for (let round = 0; round < 2_000; round += 1) {
    if (isTrue()) return;
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(stepMs);
  }
  throw new Error(`condition not met; requests: ${server.requests.join(', ')}; ${changes}`);
}

describe('informer', () => {
  test('KN-160: lists, then watches from the version of the list with bookmarks', async () => {
    server.list = (_request, response) =>
      sendJson(response, 200, emptyList('7', [pod('a', 'u1', 5)]));
    await factory.start();
    await until(() => server.count(/watch=true/) === 1);
    expect(changes).toEqual(['add ns/a u1@5']);
    const watch = new URL(server.requests[1]!.slice(4), 'http://x').searchParams;
    expect(watch.get('resourceVersion')).toBe('7');
    expect(watch.get('allowWatchBookmarks')).toBe('true');
    expect(Number(watch.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
  });

  test('KN-153: a list in pages becomes one delivery', async () => {
    server.list = (_request, response, url) => {
      const isFirst = !url.searchParams.has('continue');
      const page = emptyList('9', [isFirst ? pod('a', 'u1', 1) : pod('b', 'u2', 2)]) as {
        metadata: object;
      };
      if (isFirst) page.metadata = { resourceVersion: '9', continue: 'next' };
      sendJson(response, 200, page);
    };
    await factory.start();
    expect(changes).toEqual(['add ns/a u1@1', 'add ns/b u2@2']);
  });

  test('KN-192: caches hold objects without the record of who wrote what', async () => {
    const managed = (name: string, version: number): KubeObject => {
      const object = pod(name, `uid-${name}`, version);
      object.metadata.managedFields = [{ manager: 'kubectl', fieldsV1: {} }];
      return object;
    };
    server.list = (_request, response) =>
      sendJson(response, 200, emptyList('7', [managed('a', 5)]));
    server.watch = (_request, response) => {
      open(response);
      response.write(line('ADDED', managed('b', 8)) + line('MODIFIED', managed('a', 9)));
    };
    await factory.start();
    await until(() => changes.length === 3);
    const { lister } = factory.informer<KubeObject>(Pod);
    expect(lister.list()).toEqual([pod('a', 'uid-a', 9), pod('b', 'uid-b', 8)]);
  });

  test('an event cut anywhere between two reads is delivered once and whole', async () => {
    const text = Buffer.from(line('ADDED', pod('ä-name', 'u1', 8)));
    const parts: Buffer[] = [];
    for (let at = 0; at < text.length; at += 7) parts.push(text.subarray(at, at + 7));
    server.watch = (_request, response) => {
      open(response);
      const next = (): void => {
        const part = parts.shift();
        if (part !== undefined) response.write(part, () => setImmediate(next));
      };
      next();
    };
    await factory.start();
    await until(() => changes.length > 0);
    expect(changes).toEqual(['add ns/ä-name u1@8']);
  });

  test('repeated and outdated events change nothing', async () => {
    server.watch = (_request, response) => {
      open(response);
      response.write(line('ADDED', pod('a', 'u1', 8)) + line('ADDED', pod('a', 'u1', 8)));
      response.write(line('MODIFIED', pod('a', 'u1', 7)) + line('MODIFIED', pod('a', 'u1', 9)));
      response.write(line('DELETED', pod('a', 'u1', 10)) + line('DELETED', pod('a', 'u1', 10)));
      response.write(line('ADDED', pod('end', 'u2', 11)));
    };
    await factory.start();
    await until(() => changes.some((change) => change.includes('end')));
    expect(changes.slice(0, 3)).toEqual(['add ns/a u1@8', 'change ns/a u1@9', 'delete ns/a u1@9']);
    expect(changes).toHaveLength(4);
  });

  test('a reset resumes at the last version seen, bookmarks included', async () => {
    let watches = 0;
    server.watch = (_request, response) => {
      watches += 1;
      open(response);
      if (watches > 1) return;
      response.write(line('ADDED', pod('a', 'u1', 8)));
      response.write(line('BOOKMARK', { metadata: { resourceVersion: '20' } }), () =>
        setImmediate(() => response.destroy()),
      );
    };
    await factory.start();
    await until(() => watches === 2);
    expect(server.count(/resourceVersion=20/)).toBe(1);
    expect(server.requests.filter((request) => !request.includes('watch'))).toHaveLength(1);
  });

  test('a stream that ends inside an event resumes before that event', async () => {
    let watches = 0;
    const cut = line('ADDED', pod('b', 'u2', 9));
    server.watch = (_request, response) => {
      watches += 1;
      open(response);
      if (watches === 1) response.end(line('ADDED', pod('a', 'u1', 8)) + cut.slice(0, 20));
      else if (watches === 2) response.write(cut);
    };
    await factory.start();
    await until(() => changes.length === 2);
    expect(server.count(/resourceVersion=8/)).toBe(1);
    expect(changes).toEqual(['add ns/a u1@8', 'add ns/b u2@9']);
  });

  for (const how of ['as an answer', 'as an event'] as const) {
    test(`KN-157: 410 ${how} lists again and delivers what was missed`, async () => {
      const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
      let lists = 0;
      server.list = (_request, response) => {
        lists += 1;
        const first = [pod('a', 'u1', 1), pod('b', 'u2', 2), pod('c', 'u3', 3)];
        const second = [pod('a', 'u1', 1), pod('b', 'u9', 30), pod('d', 'u4', 31)];
        sendJson(response, 200, emptyList(String(lists * 10), lists === 1 ? first : second));
      };
      server.watch = (_request, response) => {
        if (lists > 1) open(response);
        else if (how === 'as an answer') sendJson(response, 410, gone);
        else {
          open(response);
          response.end(line('ERROR', gone));
        }
      };
      await factory.start();
      await until(() => lists === 2 && changes.length >= 7);
      expect(changes.slice(3)).toEqual([
        'delete ns/c u3@3',
        'delete ns/b u2@2',
        'add ns/b u9@30',
        'add ns/d u4@31',
      ]);
    });
  }

  test('KN-152: a server that lost its versions is listed anew, lower versions and all', async () => {
    let lists = 0;
    server.list = (_request, response) => {
      lists += 1;
      const object = lists === 1 ? pod('a', 'u1', 500) : pod('a', 'u2', 3);
      sendJson(response, 200, emptyList(lists === 1 ? '900' : '4', [object]));
    };
    server.watch = (_request, response) => {
      const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large' }];
      const status = { kind: 'Status', code: 504, reason: 'Timeout', details: { causes } };
      if (lists === 1) sendJson(response, 504, status);
      else open(response);
    };
    await factory.start();
    await until(() => changes.length === 3);
    expect(changes.slice(1)).toEqual(['delete ns/a u1@500', 'add ns/a u2@3']);
  });

  test('a deleted and recreated object is a delete and an add even if shown as one change', async () => {
    server.watch = (_request, response) => {
      open(response);
      response.write(line('ADDED', pod('a', 'u1', 8)) + line('MODIFIED', pod('a', 'u2', 9)));
    };
    await factory.start();
    await until(() => changes.length === 3);
    expect(changes).toEqual(['add ns/a u1@8', 'delete ns/a u1@8', 'add ns/a u2@9']);
  });

  test('a server that closes every watch at once is asked at a falling rate', async () => {
    server.watch = (_request, response) => {
      open(response);
      response.end();
    };
    await factory.start();
    await until(() => server.count(/watch=true/) >= 3);
    const startMs = clock.monotonicMs();
    const before = server.count(/watch=true/);
    await until(() => clock.monotonicMs() - startMs >= 60_000, 50);
    expect(server.count(/watch=true/) - before).toBeLessThan(40);
    expect(server.count(/watch=true/) - before).toBeGreaterThan(5);
  });

  test('a failing list is tried until it works, and start waits for that', async () => {
    let lists = 0;
    server.list = (request, response) => {
      lists += 1;
      if (lists === 1) request.socket.destroy();
      else if (lists < 5) sendJson(response, 500, { message: 'not yet' });
      else sendJson(response, 200, emptyList('1', [pod('a', 'u1', 1)]));
    };
    let isStarted = false;
    void factory.start().then(() => {
      isStarted = true;
    });
    await until(() => isStarted);
    expect(lists).toBe(5);
    expect(informer.hasSynced()).toBe(true);
  });

  test('a silent watch is ended after the idle limit and resumed', async () => {
    await factory.start();
    await until(() => server.count(/watch=true/) === 1);
    await until(() => server.count(/watch=true/) === 2, 500);
    expect(clock.monotonicMs()).toBeGreaterThan(90_000);
  });

  test('a handler that throws costs its own call only', async () => {
    const others: string[] = [];
    informer.onChange(() => {
      throw new Error('bad handler');
    });
    informer.onChange((current) => others.push(current?.metadata.name ?? ''));
    server.list = (_request, response) =>
      sendJson(response, 200, emptyList('7', [pod('a', 'u1', 5), pod('b', 'u2', 6)]));
    await factory.start();
    expect(others).toEqual(['a', 'b']);
  });

  test('a handler added late is called for everything cached, a removed one for nothing', async () => {
    server.list = (_request, response) =>
      sendJson(response, 200, emptyList('7', [pod('a', 'u1', 5)]));
    await factory.start();
    const late: string[] = [];
    const remove = informer.onChange((current) => late.push(current?.metadata.name ?? ''));
    expect(late).toEqual(['a']);
    remove();
    expect(factory.informer(Pod)).toBe(informer);
  });

  test('stop ends the watch and asks no more', async () => {
    await factory.start();
    await until(() => server.count(/watch=true/) === 1);
    await factory.stop();
    for (let round = 0; round < 20; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1_000);
    }
    expect(server.requests).toHaveLength(2);
  });
});
