// The API server of the store scenario, in a process that is there to be killed. Arguments: data
// directory, durability. Says where it listens over the process channel.

import { startApiServer } from '../../src/apiserver/start.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';

export type StoreHostAnswer = {
  readonly server: string;
  readonly caPem: string;
  readonly token: string;
};

/** Few, so that watches fall out of the history while they are away. */
const HISTORY_CHANGES = 256;

const [, , dataDir = '', durability = ''] = process.argv;
process.on('disconnect', () => process.exit(1));
const server = await startApiServer({
  dataDir,
  durability: durability === 'disk' ? 'disk' : 'kernel',
  host: '127.0.0.1',
  port: 0,
  userName: 'torture',
  admission: { admit: ({ object }) => ({ allowed: true, object, warnings: [] }) },
  podLogs: {
    open() {
      throw new Error('no pods here');
    },
  },
  clock: systemClock,
  logger: silentLogger,
  maxHistory: HISTORY_CHANGES,
});
process.send?.({
  server: server.url,
  caPem: server.caPem,
  token: server.token,
} satisfies StoreHostAnswer);
