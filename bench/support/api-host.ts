// A process with the embedded API server in it, for the bench. Arguments: data directory (empty = keep
// nothing), durability. Says where it listens over the process channel; on any message it collects
// garbage, if node was started with --expose-gc, and answers with its heap.

import { startApiServer } from '../../src/apiserver/start.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';

export interface ApiHostAddress {
  readonly server: string;
  readonly caPem: string;
  readonly token: string;
}

const [, , dataDir = '', durability = ''] = process.argv;
process.on('disconnect', () => process.exit(1));
process.on('message', (m) => {
  if (m !== 'heap') return;
  globalThis.gc?.();
  process.send?.(process.memoryUsage().heapUsed);
});
const server = await startApiServer({
  dataDir: dataDir === '' ? null : dataDir,
  durability: durability === 'disk' ? 'disk' : 'kernel',
  host: '127.0.0.1',
  port: 0,
  userName: 'bench',
  admission: { admit: ({ object }) => ({ allowed: true, object, warnings: [] }) },
  podLogs: {
    open() {
      throw new Error('no pods here');
    },
  },
  clock: systemClock,
  logger: silentLogger,
});
process.send?.({
  server: server.url,
  caPem: server.caPem,
  token: server.token,
} satisfies ApiHostAddress);
