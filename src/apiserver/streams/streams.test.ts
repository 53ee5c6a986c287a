// Streams over upgraded connections, from a client's side: what travels, what is refused, how it
// ends. The protocols' real clients are in test/e2e/kubectl-streams.test.ts.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { createDeflate, constants as zlib } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { ExecRequest, ExecSession, PodStreams } from '../pod-streams.ts';
import { PodStreamError } from '../pod-streams.ts';
import type { ApiServer } from '../start.ts';
import { startTestServer, TestClient } from '../testing/harness.ts';
import { parseSize } from './channel-socket.ts';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';
import { HeaderReader, MAX_HEADER_BLOCK_BYTES } from './spdy-headers.ts';
import { SpdySession, type SpdyStream } from './spdy-session.ts';

let server: ApiServer | null = null;
afterEach(async () => {
  await server?.stop();
  server = null;
});

async function serverWithPod(podStreams: PodStreams): Promise<ApiServer> {
  server = await startTestServer({ podStreams });
  const client = new TestClient(server);
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  };
  const { code } = await client.call('POST', '/api/v1/namespaces/default/pods', { body });
  expect(code).toBe(201);
  client.close();
  return server;
}

function open({ url, caPem, token }: ApiServer, path: string, protocols: string[], extra = {}) {
  const address = `${url.replace('https', 'wss')}/api/v1/namespaces/default/pods/${path}`;
  const headers = { authorization: `Bearer ${token}`, ...extra };
  return new WebSocket(address, protocols, { ca: caPem, headers });
}

/** Status code and message of an upgrade that is refused. */
async function refusal(socket: WebSocket): Promise<[number, string]> {
  const [, answer] = (await once(socket, 'unexpected-response')) as [
    unknown,
    NodeJS.ReadableStream,
  ];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  const { code, message } = JSON.parse(text) as { code: number; message: string };
  return [code, message];
}

function fakeSession() {
  const session = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    exitCode: new Promise<number>(() => undefined),
    kills: 0,
    sizes: [] as object[],
    resize: (size: object) => session.sizes.push(size),
    kill() {
      session.kills += 1;
    },
  };
  return session;
}

const runs = (session: ExecSession, seen: ExecRequest[] = []): PodStreams => ({
  findPort: () => Promise.reject(new PodStreamError(400, 'no ports')),
  async exec(request) {
    seen.push(request);
    return session;
  },
});

it('KN-232: channels carry input, both outputs, sizes and the exit code', async () => {
  const session = fakeSession();
  const seen: ExecRequest[] = [];
  let exit: (code: number) => void = () => undefined;
  session.exitCode = new Promise((resolve) => {
    exit = resolve;
  });
  const api = await serverWithPod(runs(session, seen));
  const query = 'command=a&command=b&stdin=true&stdout=true&stderr=true';
  const socket = open(api, `p/exec?${query}`, ['v5.channel.k8s.io', 'v4.channel.k8s.io']);
  const messages: Buffer[] = [];
  socket.on('message', (data: Buffer) => messages.push(data));
  await once(socket, 'open');
  expect(socket.protocol).toBe('v5.channel.k8s.io');
  socket.send(Buffer.from('\u0004{"Width":80,"Height":24}'));
  socket.send(Buffer.from('\u0000typed'));
  socket.send(Buffer.from([255, 0]));
  session.stdin.setEncoding('utf8');
  let typed = '';
  for await (const chunk of session.stdin) typed += chunk;
  expect(typed).toBe('typed');
  expect(session.sizes).toEqual([{ columns: 80, rows: 24 }]);
  expect(seen[0]).toMatchObject({ container: 'c', command: ['a', 'b'], stdin: true, tty: false });
  session.stdout.end('out');
  session.stderr.end('err');
  exit(3);
  await once(socket, 'close');
  const text = messages.filter(({ length }) => length > 1).map((bytes) => bytes.toString());
  expect(text.slice(0, 2).sort()).toEqual(['\u0001out', '\u0002err']);
  expect(JSON.parse(text[2]?.slice(1) ?? '')).toMatchObject({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  });
});

it('a client that leaves ends its command', async () => {
  const session = fakeSession();
  const api = await serverWithPod(runs(session));
  const socket = open(api, 'p/exec?command=a&stdout=true', ['v4.channel.k8s.io']);
  await once(socket, 'message');
  socket.terminate();
  await expect.poll(() => session.kills).toBe(1);
});

it('a command that cannot be run is an error of the stream, and the connection ends', async () => {
  const api = await serverWithPod({
    ...runs(fakeSession()),
    exec: () => Promise.reject(new PodStreamError(400, 'not running')),
  });
  const socket = open(api, 'p/exec?command=a&stdout=true', ['v4.channel.k8s.io']);
  const messages: string[] = [];
  socket.on('message', (data: Buffer) => messages.push(data.toString()));
  await once(socket, 'close');
  expect(messages.at(-1)).toContain('"message":"Internal error occurred: not running"');
});

it.each([
  ['p/exec?stdout=true', ['v4.channel.k8s.io'], 400, /at least one command/],
  ['p/exec?command=a', ['v4.channel.k8s.io'], 400, /at least 1 of stdin, stdout, stderr/],
  ['p/exec?command=a&stdout=1', ['channel.k8s.io'], 400, /none of \[channel.k8s.io\] is known/],
  ['p/exec?command=a&stdout=1&container=x', ['v4.channel.k8s.io'], 400, /container x is not valid/],
  ['q/exec?command=a&stdout=1', ['v4.channel.k8s.io'], 404, /pods "q" not found/],
  ['p/log', ['v4.channel.k8s.io'], 400, /cannot be upgraded/],
  ['p/portforward', ['v4.channel.k8s.io'], 400, /only SPDY\/3.1\+portforward.k8s.io/],
])('KN-210: %s over %s is refused with a Status', async (path, protocols, code, message) => {
  const api = await serverWithPod(runs(fakeSession()));
  const [answered, text] = await refusal(open(api, path, protocols));
  expect(answered).toBe(code);
  expect(text).toMatch(message);
});

it('an upgrade needs the token and comes from no web page', async () => {
  const api = await serverWithPod(runs(fakeSession()));
  const path = 'p/exec?command=a&stdout=1';
  const protocols = ['v4.channel.k8s.io'];
  expect((await refusal(open(api, path, protocols, { authorization: 'x' })))[0]).toBe(401);
  expect((await refusal(open(api, path, protocols, { origin: 'https://x' })))[0]).toBe(403);
});

it('a stopping server ends open streams', async () => {
  const session = fakeSession();
  const api = await serverWithPod(runs(session));
  const socket = open(api, 'p/exec?command=a&stdout=true', ['v4.channel.k8s.io']);
  await once(socket, 'message');
  await Promise.all([once(socket, 'close'), api.stop()]);
  server = null;
  await expect.poll(() => session.kills).toBe(1);
});

/** The other end of a session: frames as a client writes them. */
class SpdyClient {
  readonly #deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  readonly toServer: PassThrough;
  constructor(toServer: PassThrough) {
    this.toServer = toServer;
  }

  frame(type: number, flags: number, body: Buffer): void {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE(body.length, 4);
    head[4] = flags;
    this.toServer.write(Buffer.concat([head, body]));
  }

  data(id: number, flags: number, text: string): void {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head.writeUInt32BE(text.length, 4);
    head[4] = flags;
    this.toServer.write(Buffer.concat([head, Buffer.from(text)]));
  }

  async open(id: number, headers: Record<string, string>): Promise<void> {
    const fixed = Buffer.alloc(10);
    fixed.writeUInt32BE(id, 0);
    this.frame(1, 0, Buffer.concat([fixed, await this.block(headers)]));
  }

  block(headers: Record<string, string>): Promise<Buffer> {
    const parts = Object.entries(headers).flat();
    const size = (n: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(n, 0);
      return bytes;
    };
    const text = parts.flatMap((part) => [size(part.length), Buffer.from(part)]);
    this.#deflate.write(Buffer.concat([size(parts.length / 2), ...text]));
    return new Promise((resolve) => {
      this.#deflate.flush(zlib.Z_SYNC_FLUSH, () => resolve(this.#deflate.read() as Buffer));
    });
  }
}

it('the dictionary is the one of the draft: its Adler-32 is e3c6a7c2', async () => {
  const deflated = createDeflate({ dictionary: SPDY_DICTIONARY });
  deflated.end('x');
  const bytes = (await once(deflated, 'readable').then(() => deflated.read())) as Buffer;
  expect(bytes.subarray(2, 6).toString('hex')).toBe('e3c6a7c2');
});

it('header blocks share one compressor; one that inflates too far is refused', async () => {
  const client = new SpdyClient(new PassThrough());
  const reader = new HeaderReader();
  const first = await reader.read(await client.block({ streamType: 'data', port: '80' }));
  expect([...first]).toEqual([
    ['streamtype', 'data'],
    ['port', '80'],
  ]);
  const again = await reader.read(await client.block({ streamtype: 'error' }));
  expect(again.get('streamtype')).toBe('error');
  const bomb = await client.block({ a: 'x'.repeat(2 * MAX_HEADER_BLOCK_BYTES) });
  await expect(reader.read(bomb)).rejects.toThrow('too large');
});

it('KN-232: sizes other than positive whole numbers are ignored', () => {
  expect(parseSize(Buffer.from('{"Width":80,"Height":24}'))).toEqual({ columns: 80, rows: 24 });
  for (const text of [
    '',
    'x',
    'null',
    '{}',
    '{"Width":-1,"Height":2}',
    '{"Width":"8","Height":2}',
  ]) {
    expect(parseSize(Buffer.from(text))).toBeNull();
  }
});

it('KN-233: SPDY streams go both ways, half-close, and are refused when their number is taken', async () => {
  const port = createServer();
  port.listen(0, '127.0.0.1');
  await once(port, 'listening');
  const accepted = once(port, 'connection');
  const client = connect((port.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await accepted) as [Socket];
  const streams: SpdyStream[] = [];
  const session = new SpdySession(socket, (stream) => streams.push(stream));
  const ended = session.run();
  const toServer = new PassThrough();
  toServer.pipe(client);
  const spdy = new SpdyClient(toServer);
  const received: Buffer[] = [];
  client.on('data', (chunk: Buffer) => received.push(chunk));
  await spdy.open(1, { streamtype: 'data' });
  await expect.poll(() => streams.length).toBe(1);
  const [stream] = streams as [SpdyStream];
  spdy.data(1, 0, 'hello');
  spdy.data(1, 1, ' world');
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) text += String(chunk);
  expect(text).toBe('hello world');
  stream.end('bye');
  await once(stream, 'close');
  const ping = Buffer.from([0, 0, 0, 9]);
  spdy.frame(6, 0, ping);
  await expect
    .poll(() =>
      Buffer.concat(received).includes(Buffer.concat([Buffer.from([6, 0, 0, 0, 4]), ping])),
    )
    .toBe(true);
  expect(Buffer.concat(received).includes(Buffer.from('bye'))).toBe(true);
  await spdy.open(3, { streamtype: 'a' });
  await spdy.open(3, { streamtype: 'b' });
  await expect
    .poll(() => Buffer.concat(received).includes(Buffer.from([0, 0, 0, 3, 0, 0, 0, 3])))
    .toBe(true);
  spdy.data(5, 0, 'nobody');
  client.destroy();
  await ended;
  expect(streams[1]?.destroyed).toBe(true);
  port.close();
});
