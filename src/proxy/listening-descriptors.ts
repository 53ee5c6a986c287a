// Further descriptors of one listening socket, one for each request thread. Threads must not share
// a descriptor: the first to close it closes it for all, its number is given to the next
// connection, and the others then act on a stranger. Node cannot duplicate a descriptor, but one
// that is sent to a child and back arrives as a new one: a child that lives for that long does it
// (decision 0012). Runs once, at start, and only with several threads.

import { spawn } from 'node:child_process';
import type { Server } from 'node:net';

/** Sends everything back, one after the other, until the channel closes. */
const ECHO = 'process.on("message", (message, handle) => process.send(message, handle))';

/** Node's handle of a TCP socket; opaque but for its number. */
interface SocketHandle {
  readonly fd: number;
}

/**
 * The numbers belong to whoever listens on them; what else refers to them here is never closed
 * before the process ends, and does nothing until then.
 */
export async function duplicateDescriptors(server: Server, count: number): Promise<number[]> {
  const original = (server as unknown as { _handle: SocketHandle | null })._handle;
  if (original === null) throw new Error('the server does not listen');
  const child = spawn(process.execPath, ['-e', ECHO], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {},
  });
  const failed = new Promise<never>((_resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => reject(new Error('the duplicating child ended')));
  });
  try {
    const descriptors: number[] = [];
    while (descriptors.length < count) {
      const returned = new Promise<unknown>((resolve) => {
        child.once('message', (_message, handle) => resolve(handle));
      });
      child.send('', original as never);
      const handle = await Promise.race([returned, failed]);
      kept.push(handle);
      descriptors.push((handle as SocketHandle).fd);
    }
    return descriptors;
  } finally {
    failed.catch(() => undefined); // Its end is wanted from here on.
    child.kill('SIGKILL');
  }
}

/** Keeps the handles from being collected, which would close descriptors that are in use. */
const kept: unknown[] = [];
