// The live heap of a running process: opens Node's inspector in it by SIGUSR1, has the garbage
// collected and asks what is left. For scenarios whose question is what a process holds, not what
// its allocator has not given back yet. The inspector stays open, without a session: closing it from
// inside ends Node 20 now and then.

import WebSocket from 'ws';
import { until } from '../../test/support/pilotlight.ts';

const OPEN_LIMIT_MS = 20_000;
/** Of inspectors that are open, by process; bounded by the processes of a scenario. */
const addresses = new Map<number, string>();
const ADDRESS = /Debugger listening on (ws:\/\/[\w.:/-]+)/;

/** Processes started with this in NODE_OPTIONS open their inspector on a free port. */
export const INSPECTOR_OPTION = '--inspect-port=127.0.0.1:0';

export interface HeapReading {
  /** Bytes of living objects. */
  readonly usedBytes: number;
  /** ArrayBuffers and other memory outside of the heap that its objects hold. */
  readonly externalBytes: number;
}

/** `output` = the lines the process has printed so far, growing. */
export async function readHeap(pid: number, output: readonly string[]): Promise<HeapReading> {
  return inspect(pid, output, async (inspector) => {
    // What finalizers release is only gone with the second collection.
    await inspector.call('HeapProfiler.collectGarbage');
    await inspector.call('HeapProfiler.collectGarbage');
    const memory = await inspector.evaluate('JSON.stringify(process.memoryUsage())');
    const { heapUsed, external } = JSON.parse(String(memory)) as NodeJS.MemoryUsage;
    return { usedBytes: heapUsed, externalBytes: external };
  });
}

/** Runs in the process: `objects` is an array of all its plain objects. */
const COUNT_VERSIONS = `function (objects, versions) {
  const counts = new Map(versions.map((version) => [version, 0]));
  for (const object of objects) {
    const descriptor = Object.getOwnPropertyDescriptor(object, 'metadata');
    const metadata = descriptor === undefined ? undefined : descriptor.value;
    if (metadata === null || typeof metadata !== 'object') continue;
    const version = metadata.uid + ' ' + metadata.resourceVersion;
    const count = counts.get(version);
    if (count !== undefined) counts.set(version, count + 1);
  }
  return versions.map((version) => counts.get(version));
}`;

/**
 * How many parsed API objects of each version the process holds; a version is the text
 * `uid resourceVersion`. What is garbage is collected before.
 */
export async function countCopies(
  pid: number,
  output: readonly string[],
  versions: readonly string[],
): Promise<number[]> {
  return inspect(pid, output, async (inspector) => {
    const prototype = await inspector.call('Runtime.evaluate', { expression: 'Object.prototype' });
    const prototypeObjectId = objectId(prototype, 'result');
    const found = await inspector.call('Runtime.queryObjects', { prototypeObjectId });
    const objects = objectId(found, 'objects');
    const counted = await inspector.call('Runtime.callFunctionOn', {
      functionDeclaration: COUNT_VERSIONS,
      objectId: objects,
      arguments: [{ objectId: objects }, { value: versions }],
      returnByValue: true,
    });
    return (counted as { result: { value: number[] } }).result.value;
  });
}

const objectId = (answer: unknown, field: 'result' | 'objects'): string =>
  (answer as Record<string, { objectId: string }>)[field]!.objectId;

/** Runs `work` with the inspector of the process open. */
export async function inspect<T>(
  pid: number,
  output: readonly string[],
  work: (inspector: Inspector) => Promise<T>,
): Promise<T> {
  const url = addresses.get(pid) ?? (await open(pid, output));
  addresses.set(pid, url);
  const inspector = await Inspector.connect(url);
  try {
    return await work(inspector);
  } finally {
    await inspector.close();
  }
}

function open(pid: number, output: readonly string[]): Promise<string> {
  const seen = output.length;
  process.kill(pid, 'SIGUSR1');
  return until(
    `the inspector of process ${pid}`,
    () => output.slice(seen).flatMap((line) => ADDRESS.exec(line)?.[1] ?? [])[0],
    OPEN_LIMIT_MS,
  );
}

export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
      if (id === undefined) return;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  static async connect(url: string): Promise<Inspector> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return new Inspector(socket);
  }

  call(method: string, params: object = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.call('Runtime.evaluate', { expression, returnByValue: true });
    return (answer as { result: { value: unknown } }).result.value;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.close();
    await closed;
  }
}
