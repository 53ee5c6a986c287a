import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import { until } from '../proxy/testing/harness.ts';
import type { CertificatePem } from '../proxy/tls-server.ts';
import { createLogger } from '../telemetry/logger.ts';
import { CertificateFiles } from './tls-certificates.ts';

const RELOADED = 'Certificate and/or key have changed on disk and were reloaded.';
const MINUTE_MS = 60_000;

let directory: string;
let clock: FakeClock;
let lines: string[];
let files: CertificateFiles;
let used: CertificatePem[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'certs-'));
  clock = new FakeClock();
  lines = [];
  used = [];
  const sink = { write: (line: string) => lines.push(line) };
  files = new CertificateFiles(directory, { clock, logger: createLogger('test', { sink }) });
});

afterEach(() => {
  files.stop();
  rmSync(directory, { recursive: true });
});

function put(cert: string, key: string): void {
  writeFileSync(join(directory, 'tls.crt'), cert);
  writeFileSync(join(directory, 'tls.key'), key);
}

function logged(text: string): number {
  return lines.filter((line) => line.includes(text)).length;
}

/** Refuses pairs that say `bad`. */
async function use(pem: CertificatePem): Promise<void> {
  if (pem.cert === 'bad') throw new Error('no certificate');
  used.push(pem);
}

describe('CertificateFiles', () => {
  it('QP-160: present only when both files are', async () => {
    expect(await files.arePresent()).toBe(false);
    writeFileSync(join(directory, 'tls.crt'), 'c');
    expect(await files.arePresent()).toBe(false);
    put('c', 'k');
    expect(await files.arePresent()).toBe(true);
  });

  it('QP-162: read every minute, used when either file changed', async () => {
    put('c1', 'k1');
    await files.watch(use);
    expect(used).toEqual([{ cert: 'c1', key: 'k1' }]);
    expect(logged(RELOADED)).toBe(1);
    put('c1', 'k2');
    clock.advance(MINUTE_MS - 1);
    expect(used).toHaveLength(1);
    clock.advance(1);
    await until(() => logged(RELOADED) === 2, 'second load');
    expect(used.at(-1)).toEqual({ cert: 'c1', key: 'k2' });
  });

  it('QP-162: a bad pair is logged and tried again, the old one stays', async () => {
    put('c1', 'k1');
    await files.watch(use);
    put('bad', 'k1');
    clock.advance(MINUTE_MS);
    await until(() => logged('Failed to reload') === 1, 'failure');
    expect(used).toHaveLength(1);
    put('c2', 'k2');
    clock.advance(MINUTE_MS);
    await until(() => used.length === 2, 'recovery');
  });

  it('QP-162: a first pair that is no good is fatal', async () => {
    put('bad', 'k');
    await expect(files.watch(use)).rejects.toThrow('no certificate');
  });
});
