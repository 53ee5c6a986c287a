// Hosted sidecars on real sockets, time in the test's hand: what the root tells reaches the right
// one, and each has an end.

import { createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { RawApp } from '../proxy/testing/harness.ts';
import { TEST_ENVIRONMENT } from '../queueproxy/testing/environment.ts';
import { RawClient } from '../queueproxy/testing/raw-client.ts';
import { turn } from '../queueproxy/testing/started-proxy.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { FromDataPlane } from './messages.ts';
import { SidecarHost } from './sidecar-host.ts';

const ID = 'uid-1/queue-proxy/0';
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Tells how long somebody wants to wait. */
class WatchedClock extends FakeClock {
  readonly delays: number[] = [];
  override setTimer(...args: Parameters<FakeClock['setTimer']>) {
    this.delays.push(args[0]);
    return super.setTimer(...args);
  }
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const app = new RawApp();
  const port = await app.listen();
  app.close();
  return port;
}

it('an app that was heard is asked at once whether it is ready, and no other', async () => {
  const [appPort, servingPort] = [await freePort(), await freePort()];
  const clock = new WatchedClock();
  const sent: FromDataPlane[] = [];
  const host = new SidecarHost({
    clock,
    logger: silentLogger,
    random: () => 0.5,
    send: (message) => sent.push(message),
  });
  cleanups.push(() => host.unhost(ID, 'SIGKILL'));
  await host.host(ID, {
    ...TEST_ENVIRONMENT,
    USER_PORT: String(appPort),
    QUEUE_SERVING_PORT: String(servingPort),
    SERVING_READINESS_PROBE: JSON.stringify({
      tcpSocket: { host: '127.0.0.1', port: appPort },
      periodSeconds: 0,
      successThreshold: 1,
    }),
  });
  expect(sent).toEqual([{ type: 'hosted', id: ID }]);

  const probe = ['User-Agent: Knative-Activator-Probe', 'K-Network-Probe: queue'];
  let answer: string | null = null;
  const answered = RawClient.ask(servingPort, '/healthz', ...probe).then(({ body }) => {
    answer = body;
  });
  // The first attempt is refused, then the sidecar waits for a clock that stands still.
  while (!clock.delays.includes(1)) await turn();
  let tries = 0;
  const app = createServer((socket) => {
    tries += 1;
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => app.listen(appPort, '127.0.0.1', () => resolve()));
  cleanups.push(() => void app.close());
  host.heard('uid-10');
  host.heard('uid-2');
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect([answer, tries]).toEqual([null, 0]);
  host.heard('uid-1');
  await answered;
  expect(answer).toBe('queue');
});
