// Entry file of a request thread (QUEUE_THREADS above 1): a request plane like the main thread's,
// tied to what the pod shares. It has no ports beside the request port, no signal handling and no
// reporter of its own. An error nobody handles ends the thread, and with it the process (QP-15).

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock/clock.ts';
import { onScaleOf } from '../clock/thread-clock.ts';
import { Gate } from '../proxy/gate.ts';
import { LineForwarder } from '../telemetry/line-forwarder.ts';
import { RequestPlane } from './request-plane.ts';
import { Telemetry } from './telemetry.ts';
import { ThreadAccounting, ThreadDrainState } from './thread-cells.ts';
import { ReadinessAsker, threadLogger } from './thread-forwarding.ts';
import type {
  FromThread,
  ThreadListen,
  ThreadStart,
  ThreadTask,
  ToThread,
} from './thread-messages.ts';

function run(start: ThreadStart, main: MessagePort): void {
  const { settings, thread, threads, ports, cells } = start;
  const clock = onScaleOf(start.originMs, systemClock);
  const post = (message: FromThread): void => main.postMessage(message);
  const logger = threadLogger(post, settings.logLevel);
  const gate =
    start.gate === null
      ? null
      : Gate.attach(start.gate, { thread, threads, wake: (to) => ports[to]?.postMessage(0) });
  for (const port of ports) {
    port?.on('message', () => gate?.collect());
    port?.unref();
  }
  const readiness = new ReadinessAsker(post);
  const output = new LineForwarder((text) => post({ kind: 'lines', text }));
  const random = Math.random;
  const telemetry = Telemetry.create(settings, { clock, logger, random, output });
  const plane = new RequestPlane(settings, {
    clock,
    logger,
    random,
    gate,
    accounting: new ThreadAccounting(cells, thread, clock.monotonicMs()),
    drainer: new ThreadDrainState(cells, thread),
    isAppReady: () => readiness.ask(),
    observer: telemetry?.observer ?? null,
  });
  const perform = async (task: ThreadTask): Promise<unknown> => {
    switch (task.do) {
      case 'listen':
        return listen(plane, task.where);
      case 'drain':
        return plane.server.drain();
      case 'finish':
        return plane.handler.whenDone();
      case 'snapshot':
        return {
          metrics: telemetry?.snapshot() ?? [],
          rejectedCount: plane.server.rejectedCount,
        };
      case 'close':
        await plane.close();
        await telemetry?.stop();
        output.flush();
        return null;
    }
  };
  main.on('message', (message: ToThread) => {
    if (message.kind === 'probed') readiness.answer(message.id, message.ready);
    else {
      const { id } = message;
      perform(message.task).then(
        (value) => post({ kind: 'reply', id, value }),
        (error) => post({ kind: 'failure', id, error }),
      );
    }
  });
}

/** The address must be the main thread's, which tried the same ones in the same order. */
async function listen({ server }: RequestPlane, where: ThreadListen): Promise<void> {
  if ('descriptor' in where) {
    await server.listen({ host: '', port: 0, descriptor: where.descriptor });
    return;
  }
  let failure: unknown = null;
  for (const host of where.hosts) {
    try {
      await server.listen({ host, port: where.port, shared: true });
      return;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

if (parentPort !== null) run(workerData as ThreadStart, parentPort);
