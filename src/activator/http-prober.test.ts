// Probes against real servers on loopback (ACT-95, ACT-96).

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { createHttpProber } from './http-prober.ts';
import { ProbeOutcome } from './pod-watcher.ts';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

async function listen(answer: RequestListener): Promise<string> {
  server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A promise that a callback fulfils. */
function signal(): { done: Promise<void>; fire: () => void } {
  let fire = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { done, fire };
}

const clock = new FakeClock();
const probe = (dest: string) =>
  new Promise<ProbeOutcome>((resolve) => createHttpProber(clock).probe(dest, 300, resolve));

describe('pod probe', () => {
  it('ACT-95: asks as an activator', async () => {
    const asked: unknown[] = [];
    const dest = await listen((request, response) => {
      const { method, url, httpVersion, headers } = request;
      asked.push([method, url, httpVersion, headers['user-agent'], headers['k-network-probe']]);
      asked.push(headers.host);
      response.end('queue');
    });
    expect(await probe(dest)).toBe(ProbeOutcome.READY);
    expect(asked).toEqual([['GET', '/healthz', '1.1', 'Knative-Activator-Probe', 'queue'], dest]);
  });

  it.each([
    ['another status', 503, 'queue'],
    ['another body', 200, 'queue\n'],
    ['no body', 200, ''],
    ['a redirect', 302, ''],
    ['an endless body', 200, 'x'.repeat(100_000)],
  ])('ACT-96: %s is not ready', async (_name, status, body) => {
    const dest = await listen((_request, response) => {
      response.writeHead(status).end(body);
    });
    expect(await probe(dest)).toBe(ProbeOutcome.NOT_READY);
  });

  it('nobody listening is unreachable', async () => {
    const dest = await listen(() => undefined);
    server?.close();
    expect(await probe(dest)).toBe(ProbeOutcome.UNREACHABLE);
  });

  it('a pod that does not answer times out', async () => {
    const asked = signal();
    const dest = await listen(() => asked.fire());
    const outcome = probe(dest);
    await asked.done;
    clock.advance(300);
    expect(await outcome).toBe(ProbeOutcome.TIMED_OUT);
  });

  it('a cancelled probe says nothing', async () => {
    const asked = signal();
    const closed = signal();
    const dest = await listen((request) => {
      request.socket.on('close', () => closed.fire());
      asked.fire();
    });
    let outcome: ProbeOutcome | null = null;
    const running = createHttpProber(clock).probe(dest, 300, (seen) => {
      outcome = seen;
    });
    await asked.done;
    running.cancel();
    await closed.done;
    clock.advance(1_000);
    expect(outcome).toBeNull();
  });
});
