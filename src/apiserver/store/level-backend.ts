// The store on disk: one LevelDB directory, one opener. Writes are atomic and handed to the kernel
// (`sync: false`), so they survive kill -9; flushes follow in groups. An object carries its
// revision, so the counter is what the newest object says; only a delete, which leaves nothing,
// writes it down. The flush is fdatasync on the log files from outside LevelDB, because a synced
// write inside it would make the next writer wait for the disk. The only home of classic-level.

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { Kind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Clock, TimerHandle } from '../../clock/clock.ts';
import type { LoadedState, Persisted, StoreBackend } from './object-store.ts';
import { resourceKey, type Stored, storeKey } from './stored.ts';

/** Acknowledged writes reach the disk at most this much later (power loss, not kill -9). */
export const FLUSH_DELAY_MS = 100;
const FORMAT = '2';
/** Read, and then written as FORMAT: there the counter was written with every object. */
const OLD_FORMAT = '1';
const FORMAT_KEY = 'm/format';
const REVISION_KEY = 'm/resourceVersion';
const OBJECT_PREFIX = 'o/';
/** What earlier versions kept beside an object; no longer read. */
const OLD_APPLIED_PREFIX = 'a/';

export type Durability = 'kernel' | 'disk';

/** The data directory cannot be used; the message says which one and what to do about it. */
export class DataDirectoryError extends Error {
  readonly code: 'DATA_DIRECTORY_LOCKED' | 'DATA_DIRECTORY_CORRUPT' | 'DATA_DIRECTORY_FORMAT';

  constructor(code: DataDirectoryError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DataDirectoryError';
    this.code = code;
  }
}

type Level = ClassicLevel<string, string>;
type Operation = { type: 'put'; key: string; value: string } | { type: 'del'; key: string };

export interface OpenedStore {
  backend: StoreBackend;
  loaded: LoadedState;
}

/** Opens (and creates) the database. Rejects with DataDirectoryError when it cannot be used. */
export async function openLevelStore(options: {
  directory: string;
  durability: Durability;
  clock: Clock;
  onFlushFailure?: (error: unknown) => void;
}): Promise<OpenedStore> {
  const { directory } = options;
  const level: Level = new ClassicLevel(directory, { keyEncoding: 'utf8', valueEncoding: 'utf8' });
  try {
    await level.open();
    const loaded = await load(level, directory);
    return { backend: new LevelBackend(level, options), loaded };
  } catch (error) {
    await level.close().catch(() => undefined); // the error below says what is wrong
    throw explain(error, directory);
  }
}

function explain(error: unknown, directory: string): unknown {
  const codes = [error, (error as Error).cause].map((at) => (at as { code?: string } | null)?.code);
  if (codes.includes('LEVEL_LOCKED')) {
    return new DataDirectoryError(
      'DATA_DIRECTORY_LOCKED',
      `the data directory ${directory} is in use by another running instance: ` +
        'stop that one, or choose another directory',
      error,
    );
  }
  if (codes.includes('LEVEL_CORRUPTION') || error instanceof SyntaxError) {
    return new DataDirectoryError(
      'DATA_DIRECTORY_CORRUPT',
      `the data directory ${directory} is damaged: move it away (mv '${directory}' ` +
        `'${directory}.damaged') to start empty, or restore it from a backup`,
      error,
    );
  }
  return error;
}

function objectKey(kind: Kind, { object: { metadata } }: Stored): string {
  return `${OBJECT_PREFIX}${resourceKey(kind)}/${metadata.namespace ?? ''}/${metadata.name}`;
}

async function load(level: Level, directory: string): Promise<LoadedState> {
  const format = await level.get(FORMAT_KEY);
  if (format === undefined || format === OLD_FORMAT) await level.put(FORMAT_KEY, FORMAT);
  else if (format !== FORMAT) {
    throw new DataDirectoryError(
      'DATA_DIRECTORY_FORMAT',
      `the data directory ${directory} has format ${format}, this version reads ${FORMAT}: ` +
        'use the version that wrote it, or another directory',
    );
  }
  const objects = new Map<string, Stored[]>();
  await level.clear({ gte: OLD_APPLIED_PREFIX, lt: 'a0' });
  let revision = Number((await level.get(REVISION_KEY)) ?? '0');
  for await (const [key, json] of level.iterator({ gte: OBJECT_PREFIX, lt: 'o0' })) {
    const record = key.slice(OBJECT_PREFIX.length);
    const resource = record.slice(0, record.indexOf('/', record.indexOf('/') + 1));
    const found = objects.get(resource) ?? [];
    objects.set(resource, found);
    const stored = toStored(json);
    found.push(stored);
    revision = Math.max(revision, stored.revision);
  }
  return { revision, objects };
}

function toStored(json: string): Stored {
  const object = JSON.parse(json) as KubeObject;
  const { namespace, name, resourceVersion } = object.metadata;
  return {
    key: storeKey(namespace, name),
    object,
    json,
    revision: Number(resourceVersion),
  };
}

class LevelBackend implements StoreBackend {
  readonly #level: Level;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #sync: boolean;
  readonly #options: { sync?: boolean };
  readonly #onFlushFailure: (error: unknown) => void;
  #flushTimer: TimerHandle | null = null;
  #flushing: Promise<void> = Promise.resolve();

  constructor(level: Level, options: Parameters<typeof openLevelStore>[0]) {
    this.#level = level;
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#sync = options.durability === 'disk';
    this.#options = this.#sync ? { sync: true } : {};
    this.#onFlushFailure = options.onFlushFailure ?? (() => undefined);
  }

  async write(changes: readonly Persisted[], revision: number): Promise<void> {
    const [first] = changes;
    if (changes.length === 1 && first?.change.type !== 'DELETED') {
      const { kind, change } = first!;
      await this.#level.put(objectKey(kind, change.stored), change.stored.json, this.#options);
    } else {
      await this.#level.batch(operationsOf(changes, revision), this.#options);
    }
    if (!this.#sync) this.#scheduleFlush();
  }

  async close(): Promise<void> {
    this.#flushTimer?.cancel();
    await this.#flushing;
    await this.#flush();
    await this.#level.close();
  }

  #scheduleFlush(): void {
    if (this.#flushTimer !== null) return;
    this.#flushTimer = this.#clock.setTimer(
      FLUSH_DELAY_MS,
      () => {
        this.#flushTimer = null;
        this.#flushing = this.#flushing.then(() => this.#flush());
      },
      { background: true },
    );
  }

  async #flush(): Promise<void> {
    try {
      const names = await readdir(this.#directory);
      await Promise.all(
        names.filter((name) => name.endsWith('.log')).map((name) => this.#syncFile(name)),
      );
    } catch (error) {
      this.#onFlushFailure(error);
    }
  }

  async #syncFile(name: string): Promise<void> {
    try {
      const file = await open(join(this.#directory, name), 'r');
      await file.datasync().finally(() => file.close());
    } catch (error) {
      // A log that LevelDB has just turned into a table is synced and gone.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

function operationsOf(changes: readonly Persisted[], revision: number): Operation[] {
  const operations: Operation[] = [];
  let isCounted = true;
  for (const { kind, change } of changes) {
    const key = objectKey(kind, change.stored);
    if (change.type === 'DELETED') {
      operations.push({ type: 'del', key });
      isCounted = false;
    } else {
      operations.push({ type: 'put', key, value: change.stored.json });
    }
  }
  if (!isCounted) operations.push({ type: 'put', key: REVISION_KEY, value: String(revision) });
  return operations;
}
