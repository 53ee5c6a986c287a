// A pod whose host drops packets: connections to it are neither taken nor refused (ACT-112). On
// Linux a listener whose queue is full and whose process does not accept looks like that.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Endpoints } from '../api/core.ts';
import { Endpoints as EndpointsKind } from '../api/kinds.ts';
import { systemClock } from '../clock/clock.ts';
import { FakePod } from '../proxy/testing/fake-pod.ts';
import { NetActivator } from './testing/net-activator.ts';

/** Listens, then never accepts: its event loop stands still. */
const DEAF_LISTENER = `
const { createServer } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const server = createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  setImmediate(() => Atomics.wait(new Int32Array(workerData), 0, 0));
});
`;
const FILLERS = 8;
/** Less than the 20 s of ACT-112. */
const PATIENCE_MS = 15_000;

let activator: NetActivator;
let deaf: Worker;
let good: FakePod;
const release = new SharedArrayBuffer(4);
const fillers: Socket[] = [];

beforeEach(async () => {
  // Pods Kubernetes calls ready are believed: nobody probes the silent one (ACT-99).
  activator = await NetActivator.start({ discovery: { meshMode: 'disabled' } });
  deaf = new Worker(DEAF_LISTENER, { eval: true, workerData: release });
  good = await FakePod.start('good');
});
afterEach(async () => {
  for (const socket of fillers.splice(0)) socket.destroy();
  await deaf.terminate();
  good.kill();
  await activator.stop();
});

/** Resolves when the queue of the deaf listener is full. */
async function silence(): Promise<number> {
  const [port] = (await once(deaf, 'message')) as [number];
  for (let count = 0; count < FILLERS; count += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    fillers.push(socket);
  }
  await Promise.race([once(fillers[0] as Socket, 'connect'), systemClock.sleep(1_000)]);
  return port;
}

describe.runIf(process.platform === 'linux')('a pod that drops packets', () => {
  it('ACT-112: does not hold requests while another pod is there', {
    timeout: 30_000,
  }, async () => {
    const port = await silence();
    await activator.create('app');
    const subsets = [port, good.port].map((each) => ({
      addresses: [{ ip: '127.0.0.1' }],
      ports: [{ name: 'http', port: each }],
    }));
    const labels = {
      'serving.knative.dev/revision': 'app',
      'serving.knative.dev/revisionUID': 'uid-app',
      'networking.internal.knative.dev/serviceType': 'Private',
    };
    await activator.client.create<Endpoints>(EndpointsKind, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { namespace: 'default', name: 'app-private', labels },
      subsets,
    });
    const headers = { 'Knative-Serving-Namespace': 'default', 'Knative-Serving-Revision': 'app' };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        fetch(`http://127.0.0.1:${activator.port}/`, { headers, signal }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
  });
});
