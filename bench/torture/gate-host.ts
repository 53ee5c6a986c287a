// The sidecar of the gate scenario: the class itself in a process of its own, told over the process
// channel to resize its gate or to say how it stands, because no port of the sidecar offers either.

import { systemClock } from '../../src/clock/clock.ts';
import { QueueProxy } from '../../src/queueproxy/queue-proxy.ts';
import { parseQueueProxySettings } from '../../src/queueproxy/settings.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';

export type HostOrder = { readonly resize: number } | 'state' | 'stop';
export type HostAnswer = {
  readonly port: number;
  readonly inFlight: number;
  readonly waiting: number;
};

const proxy = new QueueProxy(parseQueueProxySettings(process.env), {
  clock: systemClock,
  logger: silentLogger,
  random: Math.random,
  onFailure: () => process.exit(1),
});

function answer(): void {
  const { inFlight = 0, waiting = 0 } = proxy.gate ?? {};
  process.send?.({ port: proxy.ports?.serving ?? 0, inFlight, waiting } satisfies HostAnswer);
}

process.on('message', (order: HostOrder) => {
  if (order === 'stop') void proxy.close().then(() => process.exit(0));
  else {
    if (order !== 'state') proxy.gate?.resize(order.resize);
    answer();
  }
});
process.on('disconnect', () => process.exit(1));
await proxy.start();
answer();
