// Probes against real servers on loopback (ACT-95, ACT-96).

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { type UpstreamPool, UpstreamPools } from '../proxy/upstream-pools.ts';
import { parseDest } from './destinations.ts';
import { createHttpProber } from './http-prober.ts';
import { ProbeOutcome } from './pod-probes.ts';

const UPSTREAM_OPTIONS = {
  maxIdlePerUpstream: 100,
  idleTimeoutMs: 90_000,
  dialTimeoutMs: 50,
  maxDialAttempts: 16,
};

let server: Server | null = null;
beforeEach(() => {
  upstreams = new UpstreamPools(UPSTREAM_OPTIONS, { clock, random: () => 0 });
});
afterEach(() => {
  upstreams.close();
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
let upstreams: UpstreamPools;
const prober = () => createHttpProber({ clock, upstreams });
const probe = (dest: string, passthroughHost: string | null = null) =>
  new Promise<ProbeOutcome>((resolve) => prober().probe(dest, 300, resolve, passthroughHost));

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

  it('ACT-95: through a mesh asks in the name of the private Service', async () => {
    const asked: unknown[] = [];
    const dest = await listen(({ headers }, response) => {
      asked.push(headers.host, headers['k-passthrough-lb']);
      response.end('queue');
    });
    await probe(dest, 'hello-private.default');
    expect(asked).toEqual(['hello-private.default', 'true']);
  });

  it('ACT-14: leaves a warm connection for the first request', async () => {
    let connections = 0;
    const dest = await listen((_request, response) => response.end('queue'));
    server?.on('connection', () => {
      connections += 1;
    });
    await probe(dest);
    const { host, port } = parseDest(dest);
    const pool = upstreams.at(host, port) as UpstreamPool;
    expect(pool.idleCount).toBe(1);
    expect(await probe(dest)).toBe(ProbeOutcome.READY);
    expect([pool.idleCount, connections]).toEqual([1, 1]);
  });

  it('a warm connection the pod has closed meanwhile is no verdict', async () => {
    const dest = await listen((_request, response) => response.end('queue'));
    await probe(dest);
    server?.closeAllConnections();
    expect(await probe(dest)).toBe(ProbeOutcome.READY);
  });

  it('a pod nobody needs any more leaves nothing open', async () => {
    const closed = signal();
    const dest = await listen((request, response) => {
      request.socket.on('close', () => closed.fire());
      response.end('queue');
    });
    await probe(dest);
    prober().forget(dest);
    await closed.done;
  });

  it.each([
    ['a sidecar that is not ready', 503, '', ProbeOutcome.NOT_READY],
    ['a mesh without a way to the pod', 502, 'no upstream', ProbeOutcome.NOT_READY],
    ['another body', 200, 'queue\n', ProbeOutcome.NOT_MESH],
    ['no body', 200, '', ProbeOutcome.NOT_MESH],
    ['an application', 404, 'not found', ProbeOutcome.NOT_MESH],
    ['an application that fails', 500, 'oops', ProbeOutcome.NOT_MESH],
    ['a redirect', 302, '', ProbeOutcome.NOT_MESH],
    ['an endless body', 200, 'x'.repeat(100_000), ProbeOutcome.NOT_MESH],
  ])('ACT-93, ACT-96: %s', async (_name, status, body, outcome) => {
    const dest = await listen((_request, response) => {
      response.writeHead(status).end(body);
    });
    expect(await probe(dest)).toBe(outcome);
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
    const running = prober().probe(dest, 300, (seen) => {
      outcome = seen;
    });
    await asked.done;
    running.cancel();
    await closed.done;
    clock.advance(1_000);
    expect(outcome).toBeNull();
  });
});
