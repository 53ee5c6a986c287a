// SIGTERM with HTTP/2 streams inside: after the quiet period the client is told to go away,
// what it has begun is finished, and the process exits with 0 once the last stream is done.

import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TortureOptions, TortureRow } from './scenario.ts';
import { startSidecar } from './sidecar.ts';

const STREAMS = 50;
const POLL_MS = 20;

interface HoldingHttp2App {
  readonly port: number;
  readonly held: ServerHttp2Stream[];
  close(): void;
}

async function startApp(): Promise<HoldingHttp2App> {
  const held: ServerHttp2Stream[] = [];
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    held.push(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    held,
    close: () => {
      for (const stream of held) stream.session?.destroy();
      server.close();
    },
  };
}

export async function http2Row(quietSeconds: number, options: TortureOptions): Promise<TortureRow> {
  const app = await startApp();
  const env = { QUEUE_DRAIN_QUIET_SECONDS: String(quietSeconds) };
  const settings = { appPort: app.port, containerConcurrency: 0, env };
  const sidecar = await startSidecar(settings, options);
  try {
    const session = connect(`http://127.0.0.1:${sidecar.port}`);
    session.on('error', () => undefined);
    let wasToldToGo = false;
    session.on('goaway', (code) => {
      wasToldToGo = code === 0;
    });
    const bodies = Array.from({ length: STREAMS }, () => bodyOf(session));
    await until(() => app.held.length === STREAMS);
    sidecar.child.kill('SIGTERM');
    await until(() => wasToldToGo || session.destroyed);
    for (const stream of app.held) {
      stream.respond({ ':status': 200 });
      stream.end('held');
    }
    const whole = (await Promise.all(bodies)).filter((body) => body === 'held').length;
    const exitCode = await sidecar.exited;
    return {
      name: 'http2-streams',
      ok: whole === STREAMS && wasToldToGo && exitCode === 0,
      streams: STREAMS,
      whole,
      wasToldToGo,
      exitCode,
    };
  } finally {
    app.close();
    await sidecar.stop();
  }
}

/** '' when the stream broke. */
async function bodyOf(session: ClientHttp2Session): Promise<string> {
  const stream = session.request({ ':path': '/' });
  let body = '';
  try {
    for await (const chunk of stream) body += String(chunk);
  } catch {
    return ''; // Reset: counted as not whole.
  }
  return body;
}

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error('never came');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
