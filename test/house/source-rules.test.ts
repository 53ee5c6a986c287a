// The rules of the house that a script can see. A rule nobody checks is a wish.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

function sourcesUnder(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({
      path: join(folder, name),
      text: readFileSync(join(root, folder, name), 'utf8'),
    }));
}

const sources = sourcesUnder('src');
const production = sources.filter(
  ({ path }) => !path.endsWith('.test.ts') && !path.includes('/testing/'),
);

function offenders(pattern: RegExp, exempt: RegExp): string[] {
  const found: string[] = [];
  for (const { path, text } of production) {
    if (exempt.test(path)) continue;
    text.split('\n').forEach((line, index) => {
      const code = line.replace(/\/\/.*$|\/\*\*.*?\*\//g, '').replace(/^\s*(\/\*)?\*.*$/, '');
      if (pattern.test(code)) found.push(`${path}:${index + 1}: ${line.trim()}`);
    });
  }
  return found;
}

describe('source rules', () => {
  it('every module opens by saying why it exists', () => {
    const silent = production
      .filter(({ text }) => !/^(#!.*\n)?\/[/*]/.test(text))
      .map(({ path }) => path);
    expect(silent).toEqual([]);
  });

  it('time comes from a Clock only', () => {
    const pattern =
      /\b(Date\.now|performance\.now|setTimeout|setInterval)\b(?!\s*[:?])|new Date\(\s*\)/;
    expect(offenders(pattern, /^src\/clock\/|^src\/telemetry\/logger\.ts$/)).toEqual([]);
  });

  it('randomness is passed in', () => {
    expect(offenders(/Math\.random\(/, /^$/)).toEqual([]);
  });

  it('nothing is typed any', () => {
    expect(offenders(/:\s*any\b|\bas any\b|<any>/, /^$/)).toEqual([]);
  });

  it('files stay under 400 lines', () => {
    const long = production
      .filter(({ text }) => text.split('\n').length > 400)
      .map(({ path, text }) => `${path}: ${text.split('\n').length}`);
    expect(long).toEqual([]);
  });

  it('lines stay within 100 columns, data in strings aside', () => {
    const wide: string[] = [];
    for (const { path, text } of production) {
      text.split('\n').forEach((line, index) => {
        if (line.length > 100 && !/['"`]/.test(line)) {
          wide.push(`${relative('.', path)}:${index + 1}`);
        }
      });
    }
    expect(wide).toEqual([]);
  });

  it('no test is focused, skipped or left to do', () => {
    const loose: string[] = [];
    for (const { path, text } of [...sources, ...sourcesUnder('test')]) {
      if (/\b(it|test|describe)\.(only|todo)\(/.test(text)) loose.push(path);
    }
    expect(loose).toEqual([]);
  });
});
