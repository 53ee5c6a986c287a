// Entry file of an activator's request thread (ACTIVATOR_THREADS above 1): the same handler and
// throttlers as in the main thread, tied to gates and slots in shared memory, told by the main
// thread which revisions and pods there are. It observes its own requests; lines and metrics leave
// through the main thread. It has no API client, no stat socket and no probes of its own. An error
// nobody handles ends the thread, and with it the activator.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { onScaleOf } from '../../clock/thread-clock.ts';
import { DeadlineWheel } from '../../proxy/deadline-wheel.ts';
import { UpstreamPools } from '../../proxy/upstream-pools.ts';
import { LineForwarder } from '../../telemetry/line-forwarder.ts';
import { type Logger, silentLogger } from '../../telemetry/logger.ts';
import type { MetricSnapshot } from '../../telemetry/metric-series.ts';
import { ActivatorHandler } from '../handler.ts';
import { requestLimits } from '../request-ports.ts';
import { TlsPlane } from '../tls-plane.ts';
import {
  type FromThread,
  HEALTH_PROBLEMS,
  type ThreadStart,
  type ThreadTask,
  type ToThread,
} from './thread-messages.ts';
import { ThreadReporter } from './thread-reporter.ts';
import { ThreadRevisions } from './thread-revisions.ts';
import { ThreadServers } from './thread-servers.ts';
import { ThreadTelemetry } from './thread-telemetry.ts';

type Post = (message: FromThread) => void;

interface Plane {
  readonly revisions: ThreadRevisions;
  readonly telemetry: ThreadTelemetry | null;
  readonly tls: TlsPlane | null;
  perform(task: ThreadTask): Promise<MetricSnapshot>;
}

function createPlane(start: ThreadStart, clock: Clock, post: Post): Plane {
  const logger = loggerOf(post);
  const random = Math.random;
  const upstreams = new UpstreamPools(start.upstream, { clock, random });
  const tls = start.tls === null ? null : new TlsPlane(upstreams, start.tls, { clock, logger });
  const upstreamsOf = (namespace: string) => tls?.upstreams.of(namespace) ?? upstreams;
  const revisions = new ThreadRevisions(start, { clock, logger, random, upstreamsOf, post });
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
  const output = new LineForwarder((text) => post({ kind: 'lines', text }));
  const deps = { revisions, clock, logger, random };
  const telemetry =
    start.telemetry === null
      ? null
      : new ThreadTelemetry({ ...start.telemetry, output }, deps, handler);
  const limits = requestLimits(start.threads);
  const servers = new ThreadServers(handler, { limits, clock, logger, tls });
  const snapshot = (): MetricSnapshot => telemetry?.snapshot(servers.rejectedCount) ?? [];
  const perform = async (task: ThreadTask): Promise<MetricSnapshot> => {
    if (task.do === 'listen') {
      await servers.listen(task);
    } else if (task.do === 'drain') {
      await servers.drain();
    } else if (task.do === 'close') {
      await servers.close();
      reporter.stop();
      upstreams.close();
      await telemetry?.stop();
      output.flush();
    }
    return task.do === 'snapshot' || task.do === 'close' ? snapshot() : [];
  };
  return { revisions, telemetry, tls, perform };
}

function loggerOf(post: Post): Logger {
  const say =
    (level: 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void =>
      post({ kind: 'log', level, fields, message });
  return { ...silentLogger, info: say('info'), warn: say('warn'), error: say('error') };
}

function run(start: ThreadStart, main: MessagePort): void {
  const clock = onScaleOf(start.originMs, systemClock);
  const post = (message: FromThread): void => main.postMessage(message);
  const { revisions, telemetry, tls, perform } = createPlane(start, clock, post);
  main.on('message', (message: ToThread) => {
    if (message.kind === 'configured') telemetry?.configured(message.data);
    else if (message.kind === 'certificate') void tls?.useCertificate(message.pem);
    else if (message.kind === 'trust') tls?.useTrust(message.certificates);
    else if (message.kind !== 'task') revisions.apply(message);
    else {
      const { id } = message;
      perform(message.task).then(
        (metrics) => post({ kind: 'reply', id, metrics }),
        (error: Error) => post({ kind: 'failure', id, message: error.message }),
      );
    }
  });
}

if (parentPort !== null) run(workerData as ThreadStart, parentPort);
