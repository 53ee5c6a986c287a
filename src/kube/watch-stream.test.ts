// Lines are cut at newlines and nowhere else.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from './watch-stream.ts';

test('lines come out whole wherever the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { maxLength: 8 }),
      fc.array(fc.nat(40), { maxLength: 12 }),
      (texts, cuts) => {
        const lines = texts.map((text) => JSON.stringify(text));
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const seen: string[] = [];
        const splitter = new LineSplitter(10_000);
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          splitter.push(bytes.subarray(at, at + cut), (line) => seen.push(line));
          at += cut;
        }
        expect(seen).toEqual(lines);
        expect(splitter.isEmpty).toBe(true);
      },
    ),
  );
});

test('an event beyond the limit is refused, not held', () => {
  const splitter = new LineSplitter(10);
  splitter.push(Buffer.from('12345'), () => undefined);
  expect(() => splitter.push(Buffer.from('678901'), () => undefined)).toThrow('larger than 10');
});
