// Entry file of an activator's request thread (ACTIVATOR_THREADS above 1): the same handler and
// throttlers as in the main thread, tied to gates and slots in shared memory, told by the main
// thread which revisions and pods there are. It has no API client, no stat socket and no probes of
// its own. An error nobody handles ends the thread, and with it the activator.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../clock/clock.ts';
import { onScaleOf } from '../../clock/thread-clock.ts';
import { DeadlineWheel } from '../../proxy/deadline-wheel.ts';
import { createRequestPort } from '../../proxy/request-port.ts';
import type { HttpServer } from '../../proxy/types.ts';
import { UpstreamPools } from '../../proxy/upstream-pools.ts';
import { type Logger, silentLogger } from '../../telemetry/logger.ts';
import { ActivatorHandler } from '../handler.ts';
import { SERVER_LIMITS } from '../request-ports.ts';
import {
  type FromThread,
  HEALTH_PROBLEMS,
  type ThreadListen,
  type ThreadStart,
  type ToThread,
} from './thread-messages.ts';
import { ThreadReporter } from './thread-reporter.ts';
import { ThreadRevisions } from './thread-revisions.ts';

function run(start: ThreadStart, main: MessagePort): void {
  const clock = onScaleOf(start.originMs, systemClock);
  const post = (message: FromThread): void => main.postMessage(message);
  const info = (fields: object, message: string): void => post({ kind: 'log', fields, message });
  const logger: Logger = { ...silentLogger, info, warn: info, error: info };
  const random = Math.random;
  const upstreams = new UpstreamPools(start.upstream, { clock, random });
  const revisions = new ThreadRevisions(start, { clock, logger, random, upstreams, post });
  const reporter = new ThreadReporter(clock, (subject) => revisions.idOf(subject), post);
  const health = new Int32Array(start.health);
  const handler = new ActivatorHandler({
    revisions,
    reporter,
    deadlines: new DeadlineWheel(clock),
    clock,
    health: () => HEALTH_PROBLEMS[Atomics.load(health, 0)] ?? null,
    clusterDomain: start.clusterDomain,
  });
  const servers: HttpServer[] = [];
  const listen = async (where: readonly ThreadListen[]): Promise<void> => {
    for (const place of where) {
      const deps = { limits: SERVER_LIMITS, clock, logger };
      const server = createRequestPort(start.engine, handler, deps);
      servers.push(server);
      if ('descriptor' in place) {
        await server.listen({ host: '', port: 0, descriptor: place.descriptor });
      } else await server.listen({ ...place, shared: true });
    }
    post({ kind: 'listening' });
  };
  const drain = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.drain()));
    post({ kind: 'drained' });
  };
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
    reporter.stop();
    upstreams.close();
    post({ kind: 'closed' });
  };
  const guard = (work: Promise<void>): void => {
    work.catch((error: Error) => post({ kind: 'failed', message: error.message }));
  };
  main.on('message', (message: ToThread) => {
    if (message.kind === 'listen') guard(listen(message.where));
    else if (message.kind === 'drain') guard(drain());
    else if (message.kind === 'close') guard(close());
    else revisions.apply(message);
  });
}

if (parentPort !== null) run(workerData as ThreadStart, parentPort);
