// The role as a process would run it, with the process itself replaced: what it prints, when it
// exits and with which code.

import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { type RunningQueueProxy, startQueueProxy } from './start.ts';
import { TEST_ENVIRONMENT } from './testing/environment.ts';
import { RawClient } from './testing/raw-client.ts';

const running: RunningQueueProxy[] = [];
afterEach(async () => {
  for (const { proxy } of running.splice(0)) await proxy.close();
});

function setUp(env: Record<string, string | undefined> = {}) {
  const clock = new FakeClock();
  const exits: number[] = [];
  const printed: string[] = [];
  const errors: string[] = [];
  let signal: () => void = () => undefined;
  const logger = {
    ...silentLogger,
    error: (_fields: object, message: string) => errors.push(message),
    child: () => logger,
  };
  const start = async () => {
    const started = await startQueueProxy({
      env: { ...TEST_ENVIRONMENT, QUEUE_DRAIN_QUIET_SECONDS: '5', ...env },
      clock,
      random: () => 0.5,
      onSignal: (listener) => {
        signal = listener;
      },
      exit: (code) => exits.push(code),
      printError: (line) => printed.push(line),
      createLogger: () => logger,
      limitMemory: () => Promise.resolve(),
    });
    if (started !== null) running.push(started);
    return started;
  };
  return { clock, exits, printed, errors, start, signal: () => signal() };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('starting the queue-proxy', () => {
  it('QP-10: a bad environment is one line on stderr and exit code 1', async () => {
    const { start, exits, printed } = setUp({ USER_PORT: undefined });
    expect(await start()).toBeNull();
    expect(printed).toEqual(['required key USER_PORT missing value']);
    expect(exits).toEqual([1]);
  });

  it('QP-13, QP-93: a probe that cannot be read is fatal before anything listens', async () => {
    const { start, exits, printed } = setUp({ SERVING_READINESS_PROBE: '{' });
    expect(await start()).toBeNull();
    expect(printed).toHaveLength(1);
    expect(printed[0]).toMatch(/^Queue container failed to parse readiness probe/);
    expect(exits).toEqual([1]);
  });

  it('QP-15: a port that cannot be had is logged and exit code 1', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    const { start, exits, errors } = setUp({ QUEUE_STATS_PORT: String(port) });
    expect(await start()).toBeNull();
    expect(errors).toEqual(['Failed to bring up queue-proxy, shutting down.']);
    expect(exits).toEqual([1]);
    holder.close();
  });

  it('QP-120, QP-123: a signal drains, then exits with 0', async () => {
    const { start, clock, signal, exits } = setUp();
    const started = await start();
    const { serving } = started!.proxy.ports!;
    signal();
    const probe = ['User-Agent: kube-probe/1', 'K-Network-Probe: queue'];
    expect((await RawClient.ask(serving, '/', ...probe)).body).toBe('shutting down\n');
    clock.advance(4_999);
    await turn();
    expect(exits).toEqual([]);
    clock.advance(1);
    // The engine may keep closing connections for a moment of its own.
    while (exits.length === 0) await clock.advanceAsync(100);
    expect(exits).toEqual([0]);
  });

  it('QP-124: a second signal exits with 1 at once', async () => {
    const { start, signal, exits } = setUp();
    await start();
    signal();
    signal();
    expect(exits).toEqual([1]);
  });

  it('a signal during the start drains as soon as there is something to drain', async () => {
    const { start, clock, signal, exits } = setUp();
    const starting = start();
    signal();
    await starting;
    clock.advance(5_000);
    // The engine may keep closing connections for a moment of its own.
    while (exits.length === 0) await clock.advanceAsync(100);
    expect(exits).toEqual([0]);
  });
});
