// Port forwarding (KN-233): the client opens two streams per connection, one for the bytes and one
// for an error text, told apart by their headers; each pair becomes one TCP connection to the pod.

import { connect, type Socket } from 'node:net';
import type { Clock, TimerHandle } from '../../clock/clock.ts';
import type { SpdyStream } from './spdy-session.ts';

/** Half a pair is given up after this. */
const PAIR_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** Where a port of the pod really is; rejects with a sentence for people. */
export type FindPort = (port: number) => Promise<{ host: string; port: number }>;

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  timer: TimerHandle;
}

/** What to call with every stream of one connection. */
export function createPortForward(
  podName: string,
  findPort: FindPort,
  clock: Clock,
): (stream: SpdyStream) => void {
  const pairs = new Map<string, Pair>();
  return (stream) => {
    const type = stream.headers.get('streamtype');
    if (type !== 'data' && type !== 'error') {
      stream.destroy();
      return;
    }
    const key = stream.headers.get('requestid') ?? '';
    const pair = pairs.get(key) ?? { timer: expire(pairs, key, clock) };
    pairs.set(key, pair);
    pair[type] = stream;
    if (pair.data === undefined || pair.error === undefined) return;
    pair.timer.cancel();
    pairs.delete(key);
    void forward(podName, findPort, clock, { data: pair.data, error: pair.error });
  };
}

function expire(pairs: Map<string, Pair>, key: string, clock: Clock): TimerHandle {
  const giveUp = (): void => {
    const pair = pairs.get(key);
    pairs.delete(key);
    pair?.data?.destroy();
    pair?.error?.destroy();
  };
  return clock.setTimer(PAIR_TIMEOUT_MS, giveUp, { background: true });
}

async function forward(
  podName: string,
  findPort: FindPort,
  clock: Clock,
  { data, error }: { data: SpdyStream; error: SpdyStream },
): Promise<void> {
  const port = Number(data.headers.get('port'));
  error.resume();
  let socket: Socket;
  try {
    socket = await dial(await findPort(port), clock);
  } catch (failure) {
    const why = failure instanceof Error ? failure.message : String(failure);
    error.end(`error forwarding port ${port} to pod ${podName}: ${why}`);
    data.resume();
    data.end();
    return;
  }
  socket.on('error', () => data.destroy());
  data.pipe(socket);
  socket.pipe(data);
  data.once('close', () => {
    socket.destroy();
    error.end();
  });
}

/** Rejects with the system's error. */
function dial(address: { host: string; port: number }, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, allowHalfOpen: true });
    const giveUp = (): void => {
      socket.destroy(new Error(`${address.host}:${address.port} does not answer`));
    };
    const timer = clock.setTimer(CONNECT_TIMEOUT_MS, giveUp, { background: true });
    const fail = (error: Error): void => {
      timer.cancel();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      timer.cancel();
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}
