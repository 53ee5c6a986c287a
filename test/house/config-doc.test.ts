// docs/config.md tells the truth: every setting the code reads and every named limit is in it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const doc = readFileSync(join(root, 'docs', 'config.md'), 'utf8');
const source = (path: string) => readFileSync(join(root, path), 'utf8');

describe('docs/config.md', () => {
  it('lists every flag and variable of `up`', () => {
    const table = source('src/cli/up.ts');
    const flags = [...table.matchAll(/flag: '([a-z-]+)'/g)].map((match) => `--${match[1]}`);
    const variables = [...table.matchAll(/env: '([A-Z_]+)'/g)].map((match) => match[1]);
    expect(flags.length).toBeGreaterThan(8);
    for (const name of [...flags, ...variables]) expect(doc).toContain(`\`${name}\``);
  });

  it('lists every variable the queue-proxy reads', () => {
    const names = [...source('src/queueproxy/settings.ts').matchAll(/'([A-Z]+_[A-Z_0-9]+)'/g)];
    expect(names.length).toBeGreaterThan(20);
    for (const [, name] of names) expect(doc).toContain(`\`${name}\``);
  });

  it('lists every key of the shipped config maps', () => {
    const files = readdirSync(join(root, 'config')).filter((name) => name.startsWith('config-'));
    for (const file of files) {
      const map = parse(source(join('config', file))) as { data?: Record<string, string> };
      // Flags of config-features and families (`loglevel.<component>`) are described, not listed.
      if (file === 'config-features.yaml') continue;
      for (const key of Object.keys(map.data ?? {})) {
        const family = key
          .replace(/^(loglevel)\..*/, '$1')
          .replace(/^(request-metrics|metrics|tracing)-.*/, '$1-');
        expect(doc, `${file}: ${key}`).toContain(family);
      }
    }
  });

  it('has the limits as they stand in the sources', async () => {
    const { limitsTable, writtenTable } = await import('../../scripts/limits.js');
    expect(writtenTable()).toBe(limitsTable());
  });
});
