// CPU and memory of process groups: the parsing, the averaging, and one real process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { type GroupUsage, ProcessUsage, parseStat, scanProcesses } from './process-usage.ts';

describe('usage of process groups', () => {
  it('reads group, CPU time and resident memory behind any process name', () => {
    const stat = `7 (a) b (c) S 1 42 42 0 -1 0 0 0 0 0 150 50 7 3 20 0 1 0 9 0 ${250} 0`;
    expect(parseStat(stat)).toEqual({ group: 42, cpuMs: 2100, rssBytes: 250 * 4096 });
  });

  it('averages over the time between two readings', () => {
    const clock = new FakeClock();
    const groups = new Map<number, GroupUsage>([[42, { cpuMs: 1000, rssBytes: 4096 }]]);
    const usage = new ProcessUsage(clock, () => new Map(groups));
    expect(usage.read(42)).toBeNull();
    groups.set(42, { cpuMs: 6000, rssBytes: 8192 });
    clock.advance(10_000);
    expect(usage.read(42)).toEqual({ cpuMilli: 500, memoryBytes: 8192 });
    clock.advance(500);
    expect(usage.read(42)).toEqual({ cpuMilli: 500, memoryBytes: 8192 });
    groups.clear();
    clock.advance(10_000);
    expect(usage.read(42)).toBeNull();
  });

  it.runIf(process.platform === 'linux')('sees a real process in its own group', async () => {
    const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(child.stdout!, 'data');
      expect(scanProcesses().get(child.pid!)?.rssBytes).toBeGreaterThan(0);
    } finally {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
    }
  });
});
