// `npm run torture -- <scenario> [--seconds N] [--count N] [--threads N] [--engine net|uws] [--json]`:
// runs one scenario against real processes of the build and prints its rows, as aligned text or as one JSON
// object. Exit code 0 when every row is ok, 1 otherwise, 2 when it was called wrongly.

import { parseArgs } from 'node:util';
import type { TortureRow, TortureScenario } from './scenario.ts';

/** Loaded only when asked for. */
const SCENARIOS: Readonly<Record<string, () => Promise<TortureScenario>>> = {
  'autoscaler-down': async () => (await import('./autoscaler-down.ts')).autoscalerDown,
  gate: async () => (await import('./gate.ts')).gate,
  memory: async () => (await import('./memory.ts')).memory,
  pauses: async () => (await import('./pauses.ts')).pauses,
  pods: async () => (await import('./pods.ts')).pods,
  scale: async () => (await import('./scale.ts')).scale,
  services: async () => (await import('./services.ts')).services,
  sigterm: async () => (await import('./sigterm.ts')).sigterm,
  store: async () => (await import('./store.ts')).store,
};

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string' },
      count: { type: 'string' },
      threads: { type: 'string', default: '1' },
      engine: { type: 'string', default: 'net' },
      brief: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const load = SCENARIOS[positionals[0] ?? ''];
  if (load === undefined) return usage(`Name one of: ${Object.keys(SCENARIOS).join(', ')}.`);
  const { engine } = values;
  if (engine !== 'net' && engine !== 'uws') return usage('--engine is net or uws.');
  const seconds = values.seconds === undefined ? null : Number(values.seconds);
  const count = values.count === undefined ? null : Number(values.count);
  const threads = Number(values.threads);
  if (seconds !== null && !(seconds > 0)) return usage('--seconds is a number above 0.');
  if (count !== null && !(Number.isInteger(count) && count > 0)) {
    return usage('--count is 1 or more.');
  }
  if (!Number.isInteger(threads) || threads < 1) return usage('--threads is 1 or more.');
  const scenario = await load();
  const say = (line: string): void => {
    if (!values.json) console.error(line);
  };
  const rows = await scenario.run({ seconds, count, threads, engine, brief: values.brief, say });
  const head = { torture: scenario.name, engine, threads, node: process.version };
  if (values.json) console.log(JSON.stringify({ ...head, rows }));
  else print(head, rows);
  return rows.every(({ ok }) => ok) ? 0 : EXIT_FAILED;
}

function usage(line: string): number {
  console.error(line);
  return EXIT_USAGE;
}

/** One line per row: rows of one scenario measure different things. */
function print(head: object, rows: readonly TortureRow[]): void {
  for (const [name, value] of Object.entries(head)) console.log(`${name}: ${value}`);
  console.log('');
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, ok, ...measures } of rows) {
    const texts = Object.entries(measures).map(([key, value]) => `${key}=${value ?? '-'}`);
    console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(width)}  ${texts.join('  ')}`);
  }
}

process.exitCode = await main();
