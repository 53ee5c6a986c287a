// kill -9 of the API server at random moments, 200 times on one data directory: while it starts, while it
// writes, while the database compacts. After each restart every acknowledged write is there and nothing
// else, versions went on rising, and watchers that resume miss nothing or are told 410.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigMap } from '../../src/api/kinds.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { int, type Random, seededRandom } from '../fuzz/random.ts';
import { BUILD } from '../support/processes.ts';
import type { TortureOptions, TortureRow, TortureScenario } from './scenario.ts';
import type { StoreHostAnswer } from './store-host.ts';
import { LABEL, Lane, type LaneCounts, type Marked, NAMESPACE } from './store-lanes.ts';
import { StoreWatcher, sequenceOf, type WatcherCounts } from './store-watcher.ts';

const KILLS = 200;
const BRIEF_KILLS = 10;
const LANES = 6;
const WATCHERS = 3;
/** Every so many kills one hits the server while it starts. */
const START_KILL_EVERY = 8;
const MAX_START_KILL_MS = 400;
/** The kill comes after up to so many acknowledged writes, and up to so much later. */
const MAX_WRITES_BEFORE = 250;
const MAX_DELAY_MS = 5;
const START_LIMIT_MS = 180_000;
const CATCH_UP_LIMIT_MS = 120_000;

export const store: TortureScenario = { name: 'store', run };

async function run(options: TortureOptions): Promise<readonly TortureRow[]> {
  const seed = (Math.random() * 2 ** 32) >>> 0;
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-store-'));
  const siege = new Siege(folder, seededRandom(seed));
  const kills = options.brief ? BRIEF_KILLS : KILLS;
  options.say(`${kills} kills, seed ${seed}`);
  try {
    for (let round = 0; round < kills; round += 1) {
      await siege.round(round);
      if (round % 20 === 19) options.say(`${round + 1} kills: ${siege.summary()}`);
    }
    await siege.verifyOnce(kills);
    return siege.rows(kills, seed);
  } finally {
    siege.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Siege {
  readonly #folder: string;
  readonly #random: Random;
  readonly #lanes: readonly Lane[];
  readonly #watchers: readonly StoreWatcher[];
  readonly #counts: LaneCounts = {
    acknowledged: 0,
    refused: 0,
    versionsBack: 0,
    doubtsKept: 0,
    doubtsLost: 0,
    lost: 0,
  };
  readonly #watched: WatcherCounts = { resumed: 0, expired: 0, events: 0, versionsBack: 0 };
  #child: ChildProcess | null = null;
  #startKills = 0;
  /** Restarts after which the server was behind what somebody had seen. */
  #stale = 0;
  /** Watchers whose copy differed from the server's state. */
  #missed = 0;
  #startMs = 0;

  constructor(folder: string, random: Random) {
    this.#folder = folder;
    this.#random = random;
    this.#lanes = Array.from({ length: LANES }, (_, at) => new Lane(at, random, this.#counts));
    this.#watchers = Array.from(
      { length: WATCHERS },
      () => new StoreWatcher(this.#watched, random),
    );
  }

  /** One life of the server, from its start to its kill. */
  async round(index: number): Promise<void> {
    if (index % START_KILL_EVERY === START_KILL_EVERY - 1) {
      const child = this.#fork(index);
      await sleep(this.#random() * MAX_START_KILL_MS);
      await kill(child);
      this.#startKills += 1;
      return;
    }
    const { client, following } = await this.#open(index);
    const untilKill = 1 + int(this.#random, MAX_WRITES_BEFORE);
    let writes = 0;
    let enough: () => void = () => undefined;
    const written = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const writing = this.#lanes.map((lane) =>
      lane.write(client, () => {
        writes += 1;
        if (writes === untilKill) enough();
      }),
    );
    await Promise.race([written, Promise.all(writing)]);
    await sleep(this.#random() * MAX_DELAY_MS);
    await kill(this.#child!);
    await Promise.all([...writing, ...following]);
    client.close();
  }

  /** The last restart, to judge what the last kill left. */
  async verifyOnce(index: number): Promise<void> {
    const { client, following } = await this.#open(index);
    await kill(this.#child!);
    await Promise.all(following);
    client.close();
  }

  async #open(index: number): Promise<{ client: KubeClient; following: Promise<void>[] }> {
    const startedMs = performance.now();
    const child = this.#fork(index);
    const [answer] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => fail(`the server ended with ${code} at its start`)),
      sleep(START_LIMIT_MS).then(() => fail('the server does not start')),
    ])) as [StoreHostAnswer];
    this.#startMs = Math.max(this.#startMs, performance.now() - startedMs);
    const client = createKubeClient({
      ...answer,
      clock: systemClock,
      logger: silentLogger,
      userAgent: 'torture',
    });
    await this.#verify(client);
    const following = this.#watchers.map((watcher) => watcher.follow(client));
    await this.#catchUp(client);
    return { client, following };
  }

  async #verify(client: KubeClient): Promise<void> {
    const list = await client.list<Marked>(ConfigMap, {
      namespace: NAMESPACE,
      labelSelector: LABEL,
    });
    const found = new Map(list.items.map((item) => [item.metadata.name, sequenceOf(item)]));
    for (const lane of this.#lanes) lane.check(found);
    const seen = [...this.#lanes.map((lane) => lane.highest), ...this.#watchers.map(versionOf)];
    if (Number(list.metadata.resourceVersion) < Math.max(...seen)) this.#stale += 1;
  }

  /** Writes a mark and waits until every watcher has it: then each must hold what the server does. */
  async #catchUp(client: KubeClient): Promise<void> {
    const metadata = { generateName: 'mark-', name: '', namespace: NAMESPACE };
    const mark = await client.create<Marked>(ConfigMap, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...metadata, labels: { [LABEL]: 'yes' } },
      data: { sequence: '0' },
    });
    const { name } = mark.metadata;
    const deadlineMs = performance.now() + CATCH_UP_LIMIT_MS;
    while (!this.#watchers.every(({ state }) => state.has(name))) {
      if (performance.now() > deadlineMs) throw new Error('a watcher never saw the mark');
      await sleep(1);
    }
    const list = await client.list<Marked>(ConfigMap, {
      namespace: NAMESPACE,
      labelSelector: LABEL,
    });
    for (const { state } of this.#watchers) {
      const differs = (item: Marked): boolean => state.get(item.metadata.name) !== sequenceOf(item);
      if (state.size !== list.items.length || list.items.some(differs)) this.#missed += 1;
    }
    await client.delete(ConfigMap, { namespace: NAMESPACE, name });
  }

  #fork(index: number): ChildProcess {
    const durability = index % 2 === 0 ? 'kernel' : 'disk';
    const script = join(BUILD, 'bench', 'torture', 'store-host.js');
    this.#child = fork(script, [this.#folder, durability], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    return this.#child;
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  summary(): string {
    const { acknowledged, lost } = this.#counts;
    return `${acknowledged} acknowledged, ${lost} lost, ${this.#watched.expired} times 410`;
  }

  rows(kills: number, seed: number): TortureRow[] {
    const { acknowledged, refused, lost, doubtsKept, doubtsLost, versionsBack } = this.#counts;
    const watched = this.#watched;
    const startMs = Math.round(this.#startMs);
    return [
      {
        name: 'kills',
        ok: true,
        kills,
        whileStarting: this.#startKills,
        seed,
        slowestStartMs: startMs,
      },
      {
        name: 'writes',
        ok: lost === 0 && refused === 0,
        acknowledged,
        lost,
        refused,
        doubtsKept,
        doubtsLost,
      },
      {
        name: 'versions',
        ok: versionsBack + this.#stale + watched.versionsBack === 0,
        backForWriters: versionsBack,
        backForWatchers: watched.versionsBack,
        backAfterStart: this.#stale,
      },
      {
        name: 'watches',
        ok: this.#missed === 0 && watched.resumed > 0,
        events: watched.events,
        resumed: watched.resumed,
        expired: watched.expired,
        missed: this.#missed,
      },
    ];
  }
}

const versionOf = (watcher: StoreWatcher): number => watcher.version;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function fail(message: string): never {
  throw new Error(message);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
