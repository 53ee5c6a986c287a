// Shells that become containers: real processes. Waits are on conditions.

import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock/clock.ts';
import { describeLaunch, type Launch, Launcher } from './launcher.ts';
import { RUN_VARIABLE } from './messages.ts';
import { findMarked, reap } from './reaper.ts';
import { findWrapper } from './wrapper.ts';

let folder = '';
let run = '';
let launcher: Launcher;
let groups: Set<number>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "pilotlight's launcher-"));
  run = `test.${folder.slice(-6)}`;
  groups = new Set();
  launcher = new Launcher({
    clock: systemClock,
    wrapper: findWrapper(process.env.PATH),
    env: { [RUN_VARIABLE]: run },
    onGroup: (pid, isAlive) => (isAlive ? groups.add(pid) : groups.delete(pid)),
  });
  await launcher.prepare();
});

afterEach(async () => {
  launcher.close();
  await reap({ marker: `${RUN_VARIABLE}=${run}` }, systemClock);
  rmSync(folder, { recursive: true, force: true });
});

const launch = (argv: string[], env: Record<string, string> = {}): Launch => ({
  argv,
  cwd: folder,
  env: { PATH: '/usr/bin:/bin', [RUN_VARIABLE]: run, ...env },
});

async function output(child: ChildProcess | null): Promise<{ text: string; code: number | null }> {
  if (child === null) throw new Error('no shell was ready');
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ text, code })));
}

/** Elsewhere a shell may add variables of its own, and everything is started directly. */
const hasExactShell =
  process.platform === 'linux' && /\/(?:dash|busybox)$/.test(realpathSync('/bin/sh'));

describe.runIf(hasExactShell)('launcher', () => {
  it('the process has the wanted environment and nothing else', async () => {
    const env = {
      QUOTES: `'"$HOME\`\\`,
      LINES: 'a\nb\n',
      EMPTY: '',
      PWD: 'mine',
      K_SERVICE: 'é ü',
    };
    const { text } = await output(launcher.take(launch(['env', '-0'], env)));
    const seen = Object.fromEntries(
      text
        .split('\0')
        .filter((line) => line !== '')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    expect(seen).toEqual(launch([], env).env);
  });

  it('runs in the wanted folder, with the arguments as they are and nothing to read', async () => {
    const script = 'pwd; printf "%s|" "$@"; cat; exit 3';
    const words = ['a b', "it's", '', '$HOME', '*', '-x', 'new\nline'];
    const answer = await output(launcher.take(launch(['sh', '-c', script, 'sh', ...words])));
    expect(answer).toEqual({ text: `${folder}\n${words.join('|')}|`, code: 3 });
  });

  it('is a process group of its own, which the run can find before and after', async () => {
    expect(findMarked(`${RUN_VARIABLE}=${run}`)).toHaveLength(2);
    const child = launcher.take(launch(['sleep', '300']));
    const group = readFileSync(`/proc/${child?.pid}/stat`, 'utf8').split(' ')[4];
    expect(Number(group)).toBe(child?.pid);
    const ended = new Promise((resolve) => child?.once('exit', (_code, signal) => resolve(signal)));
    process.kill(-(child?.pid ?? 0), 'SIGKILL');
    expect(await ended).toBe('SIGKILL');
  });

  it('ends with 127 when there is no such program', async () => {
    expect((await output(launcher.take(launch(['/nosuch/program'])))).code).toBe(127);
  });

  it('gives none when all are taken, and all end with it', async () => {
    const taken = [1, 2, 3].map(() => launcher.take(launch(['sleep', '300'])));
    expect(taken.map((child) => child === null)).toEqual([false, false, true]);
    await reap({ marker: `${RUN_VARIABLE}=${run}` }, systemClock);
    await launcher.prepare();
    expect(findMarked(`${RUN_VARIABLE}=${run}`)).toHaveLength(2);
    launcher.close();
    while (findMarked(`${RUN_VARIABLE}=${run}`).length > 0) await systemClock.sleep(5);
  });

  it('leaves to a direct start what a shell cannot do exactly', () => {
    expect(describeLaunch(launch(['app'], { 'my.name': 'x' }))).toBeNull();
    expect(describeLaunch(launch(['app'], { PPID: '1' }))).toBeNull();
    expect(describeLaunch(launch(['-app']))).toBeNull();
    expect(describeLaunch(launch([]))).toBeNull();
    expect(describeLaunch(launch(['app', 'x'.repeat(70_000)]))).toBeNull();
    expect(describeLaunch({ ...launch(['app']), cwd: '/nosuch' })).toBeNull();
  });
});
