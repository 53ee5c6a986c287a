// Starts an app by hand for the cold-start bench: a small process of its own, because `spawn`
// blocks its caller in proportion to the caller's memory and the bench is large. Starts as the root
// of `pilotlight up` does (same wrapper, a group of its own, pipes), knows from the app's first line
// that it listens, asks it once, and says how long each took. Speaks over the pipe to its parent.

import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { findWrapper } from '../../src/standalone/wrapper.ts';

export interface HandRequest {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** So many are started at once. */
  count: number;
}

/** Milliseconds from each spawn to the whole answer, or why there is none. */
export type HandAnswer = { ms: number[] } | { error: string };

const wrapper = findWrapper(process.env['PATH']);

async function startAll({ argv, env, count }: HandRequest): Promise<number[]> {
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  // Everybody's clock starts now, as with requests that arrive together.
  const startMs = performance.now();
  const apps = ports.map((port) => startApp(argv, { ...env, PORT: String(port) }));
  try {
    return await Promise.all(
      apps.map(async (app, index) => {
        await app.listening;
        await ask(ports[index] as number);
        return performance.now() - startMs;
      }),
    );
  } finally {
    await Promise.all(apps.map((app) => app.kill()));
  }
}

function startApp(argv: readonly string[], env: Record<string, string>) {
  const [command = '', ...args] = [...wrapper, ...argv];
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  child.stderr.resume();
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const listening = new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the app ended with ${code}`)));
  });
  const kill = () => {
    child.kill('SIGKILL');
    return gone;
  };
  return { listening, kill };
}

function ask(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, headers: { host: 'localhost' }, agent: false }, (answer) => {
        answer.resume();
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve();
          else reject(new Error(`the app answered ${answer.statusCode}`));
        });
      })
      .on('error', reject);
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close((error) => (error === undefined ? resolve(port) : reject(error)));
    });
  });
}

process.on('message', (message) => {
  startAll(message as HandRequest).then(
    (ms) => process.send?.({ ms } satisfies HandAnswer),
    (error: unknown) => process.send?.({ error: String(error) } satisfies HandAnswer),
  );
});
process.on('disconnect', () => process.exit(0));
