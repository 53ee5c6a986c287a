// gRPC the whole way with a stock client: gateway, activator, sidecar, program, from zero and warm.
// The service is brought up from its file, falls to zero, and is woken by a call.

import { join } from 'node:path';
import { credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KnativeService } from '../../src/api/kinds.ts';
import {
  type AnyObject,
  condition,
  type Pilotlight,
  ROOT,
  request,
  startPilotlight,
  until,
  wakesIn,
} from '../support/pilotlight.ts';

const HOST = 'greeter.default.localhost';
const FOLDER = join(ROOT, 'examples', 'grpc');
let pilotlight: Pilotlight;
let client: GreeterClient;

interface Hello {
  name: string;
}
interface ReadStream {
  on(event: 'data', listener: (message: Hello) => void): this;
  on(event: 'error', listener: (error: ServiceError) => void): this;
  on(event: 'end', listener: () => void): this;
}
interface WriteStream {
  write(message: Hello): void;
  end(): void;
}
interface GreeterClient {
  sayHello(request: Hello, done: (error: ServiceError | null, answer: Hello) => void): void;
  collectHellos(done: (error: ServiceError | null, answer: Hello) => void): WriteStream;
  countHellos(request: Hello): ReadStream;
  chatHellos(): ReadStream & WriteStream;
  makeUnaryRequest(
    path: string,
    encode: (value: Hello) => Buffer,
    decode: (bytes: Buffer) => Hello,
    request: Hello,
    done: (error: ServiceError | null) => void,
  ): void;
  close(): void;
}

function connect(): GreeterClient {
  const loaded = loadPackageDefinition(loadSync(join(FOLDER, 'greeter.proto')));
  const { Greeter } = loaded['pilotlight'] as unknown as {
    Greeter: new (address: string, secrets: unknown, options: object) => GreeterClient;
  };
  return new Greeter(`127.0.0.1:${pilotlight.gatewayPort}`, credentials.createInsecure(), {
    'grpc.default_authority': HOST,
  });
}

const sayHello = (name: string): Promise<string> =>
  new Promise((resolve, reject) => {
    client.sayHello({ name }, (error, answer) =>
      error === null ? resolve(answer.name) : reject(error),
    );
  });

function allOf(stream: ReadStream): Promise<string[]> {
  const names: string[] = [];
  return new Promise((resolve, reject) => {
    stream.on('data', ({ name }) => names.push(name));
    stream.on('error', reject);
    stream.on('end', () => resolve(names));
  });
}

const untilAsleep = () =>
  until(
    'no pods',
    async () => (await pilotlight.pods('greeter')).length === 0,
    60_000,
    () => pilotlight.tail(),
  );

beforeAll(async () => {
  pilotlight = await startPilotlight({ args: ['-f', join(FOLDER, 'service.yaml')] });
  await until(
    'greeter to be Ready',
    async () => {
      const key = { namespace: 'default', name: 'greeter' };
      const service = await pilotlight.client
        .get<AnyObject>(KnativeService, key)
        .catch(() => undefined);
      return service && condition(service, 'Ready').status === 'True' ? service : undefined;
    },
    60_000,
    () => pilotlight.tail(),
  );
  client = connect();
});
afterAll(async () => {
  client?.close();
  await pilotlight?.[Symbol.asyncDispose]();
});

describe('examples/grpc', () => {
  it('ACT-110, ING-17: a unary call wakes the service and is answered', async () => {
    await untilAsleep();
    const before = pilotlight.lines.length;
    expect(await sayHello('Ada')).toMatch(/^Hello Ada from greeter-/);
    await until('the wake line', () => wakesIn(pilotlight.lines.slice(before))[0]);
    expect(await sayHello('Grace')).toMatch(/^Hello Grace from greeter-/);
  });

  it('ING-85: messages of a server stream arrive as they are sent', async () => {
    const arrivals: number[] = [];
    const stream = client.countHellos({ name: 'Ada' });
    stream.on('data', () => arrivals.push(performance.now()));
    expect(await allOf(stream)).toEqual([1, 2, 3, 4, 5].map((n) => `Hello Ada, ${n}`));
    // Four pauses of 100 ms lie between them; one buffered answer would come in one piece.
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(200);
  });

  it('ING-85: a bidirectional stream answers each message before the next is sent', async () => {
    const chat = client.chatHellos();
    const seen: string[] = [];
    chat.on('data', ({ name }) => seen.push(name));
    chat.on('error', () => undefined);
    for (const name of ['Ada', 'Grace', 'Edsger']) {
      chat.write({ name });
      await until(`the answer to ${name}`, () => seen.includes(`Hello ${name}`));
    }
    chat.end();
    expect(seen).toEqual(['Hello Ada', 'Hello Grace', 'Hello Edsger']);
  });

  it('ING-85: a client stream is collected, and errors keep their status', async () => {
    const collected = new Promise((resolve, reject) => {
      const call = client.collectHellos((error, answer) =>
        error === null ? resolve(answer.name) : reject(error),
      );
      for (const name of ['Ada', 'Grace']) call.write({ name });
      call.end();
    });
    expect(await collected).toBe('Hello Ada and Grace');
    const failure = await new Promise<ServiceError | null>((resolve) => {
      const path = '/pilotlight.Greeter/Nothing';
      client.makeUnaryRequest(
        path,
        () => Buffer.alloc(0),
        () => ({ name: '' }),
        { name: '' },
        resolve,
      );
    });
    expect(failure?.code).toBe(status.UNIMPLEMENTED);
  });

  it('ACT-223: streams that wait for the first pod are all served once it is there', async () => {
    await untilAsleep();
    const streams = Array.from({ length: 10 }, (_, index) =>
      allOf(client.countHellos({ name: `n${index}` })),
    );
    const chat = client.chatHellos();
    const chatted = allOf(chat);
    chat.write({ name: 'early' });
    chat.end();
    for (const names of await Promise.all(streams)) expect(names).toHaveLength(5);
    expect(await chatted).toEqual(['Hello early']);
  });

  it('ING-16: a client of HTTP/1.1 reaches a program that speaks HTTP/2 only', async () => {
    const answer = await request(pilotlight.gatewayPort, HOST, '/x/y', 30_000);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/grpc');
  });
});
