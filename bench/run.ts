// `npm run bench -- <name> [--json] [--tiny] [--rounds N] [--only row,row] [--peer name=url,pid]…
// [--against CHECKOUT]`: runs one bench by name and prints its rows, as aligned text or as one JSON
// object `{bench, commit, node, cpus, …, rows}`.

import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ROOT } from './support/processes.ts';
import type { Peer } from './support/proxies.ts';
import { calibrate } from './support/stats.ts';

interface BenchOptions {
  tiny: boolean;
  json: boolean;
  peers: readonly Peer[];
  /** Null = as many as the bench finds right. */
  rounds: number | null;
  /** Names of rows; empty = all. */
  only: readonly string[];
  /** Another checkout whose build takes turns with this one; null = none. */
  against: string | null;
}

interface Bench {
  run(options: BenchOptions): Promise<readonly object[]>;
  /** Judges the rows for people. */
  verdicts?(rows: readonly object[]): readonly object[];
}

/** A bench is a module with `run`; loaded only when asked for. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  queueproxy: () => import('./queueproxy.ts'),
  activator: () => import('./activator.ts'),
  apiserver: () => import('./apiserver.ts'),
  autoscaler: () => import('./autoscaler.ts'),
  coldstart: () => import('./coldstart.ts'),
  codec: () => import('./proxy/codec.ts'),
  h2c: () => import('./h2c.ts'),
};

const EXIT_USAGE = 2;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      tiny: { type: 'boolean', default: false },
      peer: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      against: { type: 'string' },
    },
  });
  const [name = ''] = positionals;
  const load = BENCHES[name];
  if (load === undefined) {
    console.error(`Name one of: ${Object.keys(BENCHES).join(', ')}.`);
    return EXIT_USAGE;
  }
  const { calibrationMs, checksum } = calibrate();
  const bench = await load();
  const { json, tiny } = values;
  const rows = await bench.run({
    json,
    tiny,
    peers: values.peer.map(parsePeer),
    rounds: values.rounds === undefined ? null : parseRounds(values.rounds),
    only: values.only === '' ? [] : values.only.split(','),
    against: values.against ?? null,
  });
  const report = {
    bench: name,
    commit: commit(),
    node: process.version,
    cpus: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    calibrationMs,
    checksum,
    rows,
  };
  if (values.json) console.log(JSON.stringify(report));
  else {
    print(report);
    print({ rows: bench.verdicts?.(rows) ?? [] });
  }
  return 0;
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 2) throw new Error(`--rounds ${text}: want 2 or more`);
  return rounds;
}

function parsePeer(text: string): Peer {
  const [, name, url, pid] = /^([^=]+)=(.+),(\d+)$/.exec(text) ?? [];
  if (name === undefined || url === undefined) throw new Error(`--peer ${text}: want name=url,pid`);
  return { name, url, pid: Number(pid) };
}

function commit(): string {
  const result = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT });
  return result.status === 0 ? result.stdout.toString().trim() : 'unknown';
}

/** Rows of the same fields share one table; null means there is no such value. */
function print({ rows, ...head }: { rows: readonly object[] }): void {
  for (const [name, value] of Object.entries(head)) console.log(`${name}: ${value}`);
  const tables = new Map<string, object[]>();
  for (const row of rows) {
    const fields = Object.keys(row).join(' ');
    tables.set(fields, [...(tables.get(fields) ?? []), row]);
  }
  for (const [fields, members] of tables) printTable(fields.split(' '), members);
}

function printTable(fields: readonly string[], rows: readonly object[]): void {
  const lines = [
    [...fields],
    ...rows.map((row) => Object.values(row).map((value) => String(value ?? '-'))),
  ];
  const widths = fields.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  console.log('');
  for (const line of lines) {
    console.log(line.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
  }
}

process.exitCode = await main();
