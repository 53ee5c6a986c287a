import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../clock/clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import {
  decodeStatMessages,
  emptyStat,
  encodeStatMessages,
  type StatMessage,
} from '../wire/stat.ts';
import { WAKE_NOTICE_HEADER } from '../wire/wake-notice.ts';
import { type StatServer, startStatServer } from './stat-server.ts';

let server: StatServer | null = null;
const received: StatMessage[][] = [];
let onStats: () => void = () => undefined;

const start = async (port = 0): Promise<StatServer> => {
  received.length = 0;
  server = await startStatServer({
    host: '127.0.0.1',
    port,
    clock: systemClock,
    logger: silentLogger,
    onFrame: (bytes) => {
      received.push(decodeStatMessages(bytes));
      onStats();
    },
    decisions: (key) => (key === 'default/hello' ? '{"revision":"default/hello"}' : null),
    overview: () => '{"total":0,"revisions":[]}',
    ownsBucket: (bucket) => bucket === 'autoscaler-bucket-00-of-02',
    subscribe: () => null,
  });
  return server;
};

afterEach(async () => {
  await server?.stop();
  server = null;
});

const connect = (port: number, options: object = {}): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/any/path`, options);
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });

const batch = (name: string): Uint8Array =>
  encodeStatMessages([
    { namespace: 'default', name, stat: { ...emptyStat('activator-0'), requestCount: 1 } },
  ]);

const nextStats = (): Promise<void> =>
  new Promise((resolve) => {
    onStats = resolve;
  });

describe('the stat socket', () => {
  it('ACT-154: whose bucket this is not answers 200 with nothing', async () => {
    const { port } = await start();
    const headers = { host: 'autoscaler-bucket-01-of-02.knative-serving.svc' };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers });
    const [, response] = await once(socket, 'unexpected-response');
    expect([response.statusCode, response.headers['content-length'] ?? '0']).toEqual([200, '0']);
    response.resume();
    const own = { host: 'autoscaler-bucket-00-of-02.knative-serving.svc' };
    await connect(port, { headers: own });
  });

  it('ACT-137: wake notices go only to whoever asked for them', async () => {
    const { port, tellWakes } = await start();
    const asking = await connect(port, { headers: { [WAKE_NOTICE_HEADER]: '1' } });
    const stock = await connect(port);
    const heard: string[] = [];
    stock.on('message', (data) => heard.push(String(data)));
    const told = once(asking, 'message');
    tellWakes('a notice');
    const [data, isBinary] = await told;
    expect([String(data), isBinary]).toEqual(['a notice', false]);
    const ponged = once(stock, 'pong');
    stock.ping();
    await ponged;
    expect(heard).toEqual([]);
  });

  it('ACT-152, ACT-156: decodes binary frames on any path', async () => {
    const { port } = await start();
    const socket = await connect(port);
    const arrived = nextStats();
    socket.send(batch('hello'));
    await arrived;
    expect(received[0]?.[0]).toMatchObject({ namespace: 'default', name: 'hello' });
    expect(received[0]?.[0]?.stat.requestCount).toBe(1);
  });

  it('AS-181: drops text and rubbish, and keeps the connection', async () => {
    const { port } = await start();
    const socket = await connect(port);
    socket.send('text');
    socket.send(Buffer.from([0xff, 0xff, 0xff]));
    const arrived = nextStats();
    socket.send(batch('after'));
    await arrived;
    expect(received.map((messages) => messages[0]?.name)).toEqual(['after']);
  });

  it('ACT-156: answers pings with their payload', async () => {
    const { port } = await start();
    const socket = await connect(port);
    const pong = new Promise<string>((resolve) => {
      socket.once('pong', (data) => resolve(data.toString()));
    });
    socket.ping('are you there');
    expect(await pong).toBe('are you there');
  });

  it('ACT-159, AS-182: says 1012 Restarting when it stops, and refuses from then on', async () => {
    const { port } = await start();
    const sockets = await Promise.all([connect(port), connect(port)]);
    const closed = sockets.map(
      (socket) =>
        new Promise<string>((resolve) => {
          socket.once('close', (code, reason) => resolve(`${code} ${reason.toString()}`));
        }),
    );
    await server?.stop();
    server = null;
    expect(await Promise.all(closed)).toEqual(['1012 Restarting', '1012 Restarting']);
    await expect(connect(port)).rejects.toThrow();
  });

  it.each([
    ['AS-179, ACT-153: a kubelet probe', { 'user-agent': 'kube-probe/1.33' }, '/', 200],
    ['AS-179, ACT-153: a probe by header', { 'k-kubelet-probe': 'queue' }, '/health', 200],
    ['ACT-155: no upgrade', {}, '/', 426],
    ['decisions of an unknown revision', {}, '/decisions/default/nobody', 404],
  ])('%s', async (_name, headers, path, status) => {
    const { port } = await start();
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    expect(answer.status).toBe(status);
  });

  it('shows an overview of all revisions as JSON', async () => {
    const { port } = await start();
    const answer = await fetch(`http://127.0.0.1:${port}/decisions`);
    expect(await answer.json()).toEqual({ total: 0, revisions: [] });
  });

  it('shows decisions as JSON', async () => {
    const { port } = await start();
    const answer = await fetch(`http://127.0.0.1:${port}/decisions/default/hello`);
    expect(await answer.json()).toEqual({ revision: 'default/hello' });
  });

  it('ACT-155: refuses an upgrade from a foreign origin', async () => {
    const { port } = await start();
    await expect(connect(port, { origin: 'http://evil.example' })).rejects.toThrow('403');
  });

  it('notices a port that is taken, which µWebSockets.js would not', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(start(port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await new Promise((resolve) => other.close(resolve));
  });
});
