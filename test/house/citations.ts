// Which numbers of a specification the tests cite, for the tests that let none be forgotten. Their own
// tables of excuses name numbers too, so files of that kind are not read.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDERS = ['src', 'test', 'bench'];
const EXCUSES = /-coverage\.test\.ts$/;

/** Rows of conformance tables are tests that live beside the file that runs them. */
const ROWS = '-rows.ts';

/**
 * `QP-9`, and each number of `QP-9 to QP-11`, for prefix `QP`, in all tests and in the texts `also`.
 * A range of more than `maxRange` is the title of a chapter, not the name of a test: only its first
 * number counts.
 */
export function citedNumbers(
  prefix: string,
  maxRange: number,
  also: readonly string[] = [],
): ReadonlySet<number> {
  const pattern = new RegExp(`\\b${prefix}-(\\d+)(?: to ${prefix}-(\\d+))?`, 'g');
  const cited = new Set<number>();
  const tests = FOLDERS.flatMap((folder) => textsOf(folder, '.test.ts'));
  for (const text of [...tests, ...textsOf('test', ROWS), ...also]) {
    for (const [, from, to] of text.matchAll(pattern)) {
      const isRange = to !== undefined && Number(to) - Number(from) <= maxRange;
      const last = isRange ? Number(to) : Number(from);
      for (let number = Number(from); number <= last; number += 1) cited.add(number);
    }
  }
  return cited;
}

/** The files of a folder, at any depth, whose names end so. */
export function textsOf(folder: string, suffix: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix) && !EXCUSES.test(name))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'));
}
