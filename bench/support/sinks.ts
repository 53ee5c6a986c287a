// Where the request log and the spans of a sidecar under test go: a named pipe that `cat` empties,
// as a container runtime would, and an OTLP collector that counts and forgets. Both run on the core
// of load and app.

import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUILD, end, freePort, LOAD_CORE, spawnPinned, untilListening } from './processes.ts';

export interface Sinks {
  readonly tracesUrl: string;
  /** Opens the pipe for writing; the caller closes the descriptor once a child has it. */
  openLog(): number;
  close(): Promise<void>;
}

/** Null where there are no named pipes. */
export async function startSinks(): Promise<Sinks | null> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-sinks-'));
  const pipe = join(folder, 'stdout');
  if (spawnSync('mkfifo', [pipe]).status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
  const port = await freePort();
  const entry = join(BUILD, 'bench', 'support', 'otlp-sink.js');
  const collector = spawnPinned(process.execPath, [entry, String(port)], { core: LOAD_CORE });
  await untilListening(port);
  const readers: ChildProcess[] = [];
  return {
    tracesUrl: `http://127.0.0.1:${port}/v1/traces`,
    openLog() {
      // Opening waits for the reader.
      readers.push(spawnPinned('cat', [pipe], { core: LOAD_CORE }));
      return openSync(pipe, 'w');
    },
    async close() {
      await Promise.all([collector, ...readers].map(end));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
