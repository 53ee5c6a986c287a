// gRPC, by the library most Node programs use, through a real sidecar: every kind of call, errors,
// deadlines and cancellation, to a grpc-js server and to examples/grpc.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../../src/proxy/testing/harness.ts';
import { atEnd, closeAll, startProxy } from '../../../src/queueproxy/testing/started-proxy.ts';

const LARGE = 'x'.repeat(300_000);
const text = (bytes: Buffer): string => bytes.toString();
const bytes = (value: string): Buffer => Buffer.from(value);

function method(path: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/test.Echo/${path}`,
    requestStream,
    responseStream,
    requestSerialize: bytes,
    requestDeserialize: text,
    responseSerialize: bytes,
    responseDeserialize: text,
  };
}

/** How often a call was cancelled, and how many deadlines were seen. */
interface Seen {
  cancelled: number;
  deadlines: number;
}

async function startServer(seen: Seen): Promise<number> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(
    {
      one: method('one', false, false),
      many: method('many', false, true),
      collect: method('collect', true, false),
      chat: method('chat', true, true),
    },
    {
      one(call: ServerUnaryCall<string, string>, reply: sendUnaryData<string>) {
        call.on('cancelled', () => {
          seen.cancelled += 1;
        });
        if (call.getDeadline() !== Number.POSITIVE_INFINITY) seen.deadlines += 1;
        if (call.request === 'hold') return;
        if (call.request === 'fail') {
          reply({ code: status.NOT_FOUND, details: 'no such thing' });
          return;
        }
        const trailers = new Metadata();
        trailers.set('x-trailer', 'here');
        reply(null, call.request, trailers);
      },
      many(call: ServerWritableStream<string, string>) {
        for (let n = 0; n < 10; n += 1) call.write(`${call.request}${n}`);
        call.end();
      },
      collect(call: ServerReadableStream<string, string>, reply: sendUnaryData<string>) {
        const all: string[] = [];
        call.on('data', (one: string) => all.push(one));
        call.on('end', () => reply(null, all.join(' ')));
      },
      chat(call: ServerDuplexStream<string, string>) {
        call.on('cancelled', () => {
          seen.cancelled += 1;
        });
        call.on('data', (one: string) => call.write(`<${one}>`));
        call.on('end', () => call.end());
        call.on('error', () => undefined);
      },
    },
  );
  atEnd(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

function clientFor(port: number): Client {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  atEnd(() => client.close());
  return client;
}

async function start(): Promise<{ client: Client; seen: Seen }> {
  const seen: Seen = { cancelled: 0, deadlines: 0 };
  const { port } = await startProxy(await startServer(seen));
  return { client: clientFor(port), seen };
}

function unary(
  client: Client,
  request: string,
  deadline?: number,
): Promise<{ value?: string; code?: number; trailer?: unknown }> {
  return new Promise((resolve) => {
    let outcome: { value?: string; code?: number } = {};
    const options = deadline === undefined ? {} : { deadline };
    const call = client.makeUnaryRequest(
      '/test.Echo/one',
      bytes,
      text,
      request,
      options,
      (error, value) => {
        outcome = error === null ? { value: value! } : { code: error.code };
      },
    );
    call.on('status', ({ metadata }) => {
      resolve({ ...outcome, trailer: metadata.get('x-trailer')[0] });
    });
  });
}

afterEach(closeAll);

describe('grpc-js through a sidecar', () => {
  it('a unary call, its trailers and a large message', async () => {
    const { client } = await start();
    expect(await unary(client, 'hi')).toEqual({ value: 'hi', trailer: 'here' });
    expect((await unary(client, LARGE)).value).toBe(LARGE);
  });

  it('QP-77: an error is a status in trailers', async () => {
    const { client } = await start();
    expect((await unary(client, 'fail')).code).toBe(status.NOT_FOUND);
  });

  it('server streaming', async () => {
    const { client } = await start();
    const received: string[] = [];
    const call = client.makeServerStreamRequest('/test.Echo/many', bytes, text, 'n');
    call.on('data', (one: string) => received.push(one));
    await once(call, 'end');
    expect(received).toEqual(Array.from({ length: 10 }, (_, n) => `n${n}`));
  });

  it('client streaming', async () => {
    const { client } = await start();
    const answer = new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        '/test.Echo/collect',
        bytes,
        text,
        (error, all) => (error === null ? resolve(all) : reject(error)),
      );
      for (const word of ['one', 'two', 'three']) call.write(word);
      call.end();
    });
    expect(await answer).toBe('one two three');
  });

  it('QP-86: both directions at once, each message as it comes', async () => {
    const { client } = await start();
    const call = client.makeBidiStreamRequest('/test.Echo/chat', bytes, text);
    for (const word of ['one', 'two', 'three']) {
      const answer = once(call, 'data');
      call.write(word);
      expect((await answer)[0]).toBe(`<${word}>`);
    }
    call.end();
    call.resume();
    await once(call, 'end');
  });

  it('QP-80: a cancelled call is cancelled in the application', async () => {
    const { client, seen } = await start();
    const call = client.makeBidiStreamRequest('/test.Echo/chat', bytes, text);
    call.on('error', () => undefined);
    call.write('one');
    await once(call, 'data');
    call.cancel();
    await until(() => seen.cancelled === 1, 'cancellation');
  });

  it('a deadline reaches the application, and its end cancels the call there', async () => {
    const { client, seen } = await start();
    const answer = await unary(client, 'hold', Date.now() + 300);
    expect(answer.code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => seen.cancelled === 1, 'cancellation');
    expect(seen.deadlines).toBe(1);
  });

  it('an application that is not there is UNAVAILABLE', async () => {
    const gone = await startProxy(1);
    expect((await unary(clientFor(gone.port), 'hi')).code).toBe(status.UNAVAILABLE);
  });
});

/** `Hello { name }`, short names only. */
const encodeHello = (name: string): Buffer =>
  Buffer.concat([Buffer.from([10, name.length]), bytes(name)]);
const decodeHello = (message: Buffer): string => message.toString('utf8', 2);

async function startExample(): Promise<number> {
  const file = fileURLToPath(new URL('../../../examples/grpc/server.js', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [file], {
    env: { ...process.env, PORT: '0', K_REVISION: 'greeter-00001' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  atEnd(() => child.kill());
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return Number(line.toString().trim().split(' ').at(-1));
}

describe('examples/grpc', () => {
  it('answers every kind of call', async () => {
    const { port } = await startProxy(await startExample());
    const client = clientFor(port);
    const path = (name: string): string => `/pilotlight.Greeter/${name}`;
    const greeting = new Promise((resolve, reject) => {
      client.makeUnaryRequest(path('SayHello'), encodeHello, decodeHello, 'you', (error, reply) =>
        error === null ? resolve(reply) : reject(error),
      );
    });
    expect(await greeting).toBe('Hello you from greeter-00001');
    const counted: string[] = [];
    const counting = client.makeServerStreamRequest(
      path('CountHellos'),
      encodeHello,
      decodeHello,
      'a',
    );
    counting.on('data', (one: string) => counted.push(one));
    await once(counting, 'end');
    expect(counted).toHaveLength(5);
    const collected = new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        path('CollectHellos'),
        encodeHello,
        decodeHello,
        (error, reply) => (error === null ? resolve(reply) : reject(error)),
      );
      call.write('a');
      call.end('b');
    });
    expect(await collected).toBe('Hello a and b');
    const chat = client.makeBidiStreamRequest(path('ChatHellos'), encodeHello, decodeHello);
    const answer = once(chat, 'data');
    chat.write('c');
    expect((await answer)[0]).toBe('Hello c');
    chat.end();
    chat.resume();
    await once(chat, 'end');
    const missing = await new Promise((resolve) => {
      client.makeUnaryRequest(path('Nothing'), encodeHello, decodeHello, 'x', (error) =>
        resolve(error?.code),
      );
    });
    expect(missing).toBe(status.UNIMPLEMENTED);
  });
});
