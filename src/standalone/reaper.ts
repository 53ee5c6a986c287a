// Makes sure nothing of a run survives it. Every process of a run carries a marker in its
// environment, which children inherit however they detach themselves; whoever notices the end kills
// the process groups it knows and then every process with the marker, until none is left. A shell
// script keeps watch beside the root: it starts in a millisecond, needs one megabyte, and is still
// there when the root is killed with -9 while the other processes are busy.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../clock/clock.ts';

const MAX_ROUNDS = 100;
const ROUND_PAUSE_MS = 10;

/** Pids of processes whose environment holds `marker` (`NAME=value`, or its beginning). */
export function findMarked(marker: string): number[] {
  const pids = process.platform === 'linux' ? markedByProc(marker) : markedByPs(marker);
  return pids.filter((pid) => pid !== process.pid);
}

function markedByProc(marker: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (environHas(readFileSync(`/proc/${name}/environ`, 'latin1'), marker)) {
        found.push(Number(name));
      }
    } catch {
      // Ended meanwhile, or somebody else's: neither is ours to kill.
    }
  }
  return found;
}

function environHas(environ: string, marker: string): boolean {
  return environ.startsWith(marker) || environ.includes(`\0${marker}`);
}

function markedByPs(marker: string): number[] {
  try {
    const listing = execFileSync('ps', ['-axEww', '-o', 'pid=,command='], { encoding: 'utf8' });
    return listing
      .split('\n')
      .filter((line) => line.includes(` ${marker}`))
      .map((line) => Number.parseInt(line, 10));
  } catch {
    return []; // No ps: process groups are all we have.
  }
}

export function killGroup(pid: number, signal: NodeJS.Signals): void {
  sendSignal(-pid, signal);
}

/** A process that has already ended is what was wanted. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/**
 * Resolves with how many processes were killed; gives up after a second on one that will not die.
 */
export async function reap(
  options: { marker: string; groups?: Iterable<number>; except?: ReadonlySet<number> },
  clock: Clock,
): Promise<number> {
  for (const group of options.groups ?? []) killGroup(group, 'SIGKILL');
  const killed = new Set<number>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const left = findMarked(options.marker).filter((pid) => options.except?.has(pid) !== true);
    if (left.length === 0) break;
    for (const pid of left) {
      killed.add(pid);
      sendSignal(pid, 'SIGKILL');
    }
    await clock.sleep(ROUND_PAUSE_MS);
  }
  return killed.size;
}

/** Reads `+pgid`, `-pgid` and `quit` lines; acts when its input ends without a `quit`. */
const WATCH_SCRIPT = `
groups=' '
while read -r line; do
  case $line in
    quit) exit 0 ;;
    +*) groups="$groups\${line#+} " ;;
    -*) g=\${line#-}; case $groups in *" $g "*) groups="\${groups%% $g *} \${groups#* $g }" ;; esac ;;
  esac
done
for g in $groups; do kill -KILL -- -$g 2>/dev/null; done
round=0
quiet=0
while [ $round -lt 200 ]; do
  left=$(grep -lF "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
  if [ -n "$left" ]; then
    quiet=0
    kill -KILL $left 2>/dev/null
  else
    # A process the root was just starting shows its marker only after exec: look once more.
    [ $quiet -eq 1 ] && exit 0
    quiet=1
    sleep 0.05
  fi
  round=$((round + 1))
done
`;

/** The watcher beside the root. */
export class ReaperHelper {
  readonly #marker: string;
  readonly #groups = new Set<number>();
  #child: ChildProcess | null = null;
  #isDismissed = false;

  constructor(marker: string) {
    this.#marker = marker;
  }

  start(): void {
    const child = spawn('sh', ['-c', WATCH_SCRIPT, 'pilotlight-reaper', this.#marker], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      // Without the marker: it must not find itself.
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
    });
    this.#child = child;
    child.stdin?.on('error', () => undefined); // Its end is noticed below.
    child.on('error', () => undefined); // No sh: the other processes still watch.
    child.on('exit', () => {
      if (!this.#isDismissed) this.start();
    });
    for (const group of this.#groups) this.#tell(`+${group}`);
  }

  add(group: number): void {
    if (this.#groups.has(group)) return;
    this.#groups.add(group);
    this.#tell(`+${group}`);
  }

  remove(group: number): void {
    this.#groups.delete(group);
    this.#tell(`-${group}`);
  }

  /** Everything has been ended properly. */
  dismiss(): void {
    this.#isDismissed = true;
    this.#tell('quit');
    this.#child?.unref();
  }

  #tell(line: string): void {
    this.#child?.stdin?.write(`${line}\n`);
  }
}
