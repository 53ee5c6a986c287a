// Container log files: written, rotated, read back, followed.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { logFile, nanosecondTimestamp, rotatedName, tailOf } from './log-format.ts';
import { type LogReadOptions, openPodLog } from './log-reader.ts';
import { LogWriter } from './log-writer.ts';

const owner = { namespace: 'default', podName: 'p', podUid: 'u1', container: 'c' };
const everything: LogReadOptions = {
  follow: false,
  previous: false,
  tailLines: null,
  sinceTimeMs: null,
  timestamps: false,
};

let root = '';
const clock = new FakeClock(1_700_000_000_123);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pilotlight-logs-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function read(options: Partial<LogReadOptions>, isLive = () => false): Promise<string> {
  const stream = openPodLog({ root, clock, isLive }, 'default', 'p', 'c', {
    ...everything,
    ...options,
  });
  if (stream === null) return 'none';
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe('container logs', () => {
  it('are stamped per line and read back without the stamp', async () => {
    const writer = new LogWriter(logFile(root, owner, 0), clock);
    writer.write('stdout', Buffer.from('one\ntw'));
    writer.write('stderr', Buffer.from('oops\n'));
    writer.write('stdout', Buffer.from('o\nunfinished'));
    writer.close();
    expect(await read({})).toBe('one\noops\ntwo\nunfinished\n');
    expect(await read({ tailLines: 2 })).toBe('two\nunfinished\n');
    expect(await read({ tailLines: 1, timestamps: true })).toBe(
      '2023-11-14T22:13:20.123000000Z unfinished\n',
    );
  });

  it('keep a multi-byte character together that was cut between two reads', async () => {
    const writer = new LogWriter(logFile(root, owner, 0), clock);
    const bytes = Buffer.from('é\n');
    writer.write('stdout', bytes.subarray(0, 1));
    writer.write('stdout', bytes.subarray(1));
    writer.close();
    expect(await read({})).toBe('é\n');
  });

  it('are bounded: one older file is kept', () => {
    const path = logFile(root, owner, 0);
    const writer = new LogWriter(path, clock, 1000);
    for (let line = 0; line < 200; line++) writer.write('stdout', Buffer.from(`line ${line}\n`));
    writer.close();
    expect(statSync(path).size).toBeLessThanOrEqual(1100);
    expect(statSync(rotatedName(path)).size).toBeLessThanOrEqual(1100);
    expect(readFileSync(path, 'utf8')).toContain('line 199');
  });

  it('of the previous run are told apart from those of the current one', async () => {
    for (const attempt of [0, 1]) {
      const writer = new LogWriter(logFile(root, owner, attempt), clock);
      writer.write('stdout', Buffer.from(`run ${attempt}\n`));
      writer.close();
    }
    expect(await read({})).toBe('run 1\n');
    expect(await read({ previous: true })).toBe('run 0\n');
  });

  it('do not exist before the container has written any', async () => {
    expect(await read({})).toBe('none');
  });

  it('can be followed across a rotation until the container ends', async () => {
    const writer = new LogWriter(logFile(root, owner, 0), clock, 20);
    writer.write('stdout', Buffer.from('first\n'));
    let live = true;
    const reading = read({ follow: true }, () => live);
    await clock.advanceAsync(300, 100);
    writer.write('stdout', Buffer.from('second\n'));
    await clock.advanceAsync(300, 100);
    writer.write('stdout', Buffer.from('third\n'));
    live = false;
    await clock.advanceAsync(300, 100);
    writer.close();
    expect(await reading).toBe('first\nsecond\nthird\n');
  });
});

describe('log tail', () => {
  it('RC-82: is at most 80 lines and 2048 bytes', () => {
    const lines = Array.from({ length: 200 }, (_, index) => `l${index}`).join('\n');
    expect(tailOf(`${lines}\n`).trimEnd().split('\n')).toHaveLength(80);
    expect(Buffer.byteLength(tailOf('x'.repeat(5000)))).toBe(2048);
  });

  it('KN-231: timestamps have nine fraction digits', () => {
    expect(nanosecondTimestamp('2026-01-02T03:04:05.678Z')).toBe('2026-01-02T03:04:05.678000000Z');
  });
});
