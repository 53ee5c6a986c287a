// One watcher of the API server bench in a process of its own, so that neither the load nor the other
// watchers delay what it measures. Takes the server's address over the process channel, says when its
// stream is open, and on a number answers with the arrival of every event once that many came.
// Events are told apart by the number the load writes into them. Times are of the machine's
// monotonic clock, which all its processes share.

import { once } from 'node:events';
import type { ApiHostAddress } from './api-host.ts';
import { ApiLoad } from './api-load.ts';
import { machineMs } from './stats.ts';

/** Numbers of events in order of arrival, and when each came. */
export interface Arrivals {
  readonly numbers: readonly number[];
  readonly atMs: readonly number[];
}

const NUMBER = /"actualReplicas":(\d+)/;
const LOOK_PERIOD_MS = 20;

process.on('disconnect', () => process.exit(1));
const [address] = (await once(process, 'message')) as [ApiHostAddress];
const numbers: number[] = [];
const atMs: number[] = [];
await new ApiLoad(address).watch((line) => {
  const now = machineMs();
  const number = line.startsWith('{"type":"MODIFIED"') ? NUMBER.exec(line)?.[1] : undefined;
  if (number === undefined) return;
  numbers.push(Number(number));
  atMs.push(now);
});
process.send?.('open');
process.on('message', (expected: number) => {
  const timer = setInterval(() => {
    if (numbers.length < expected) return;
    clearInterval(timer);
    process.send?.({ numbers: numbers.splice(0), atMs: atMs.splice(0) } satisfies Arrivals);
  }, LOOK_PERIOD_MS);
});
