import { expect, it } from 'vitest';
import { runEnd, valueEnd, wordsOf } from './byte-runs.ts';
import { FIELD_VALUE } from './characters.ts';

const BUFFER_BYTES = 64 * 1024;

it('every byte value ends a value, or does not, at every place, by words and by bytes', () => {
  const buffer = Buffer.alloc(BUFFER_BYTES, 'v');
  const words = wordsOf(buffer);
  expect(words).not.toBeNull();
  for (let from = 0; from < 5; from += 1) {
    for (let at = from; at < from + 13; at += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        buffer[at] = byte;
        for (const end of [at, at + 1, at + 2, at + 6]) {
          if (end < from) continue;
          const expected = runEnd(buffer, from, end, FIELD_VALUE);
          if (valueEnd(buffer, words, from, end) !== expected) {
            expect.fail(`byte ${byte} at ${at} of [${from}, ${end}) by words`);
          }
          if (valueEnd(buffer, null, from, end) !== expected) {
            expect.fail(`byte ${byte} at ${at} of [${from}, ${end}) by bytes`);
          }
        }
      }
      buffer[at] = 118;
    }
  }
});

it('a value may reach the end of the buffer', () => {
  const buffer = Buffer.alloc(BUFFER_BYTES, 'v');
  expect(valueEnd(buffer, wordsOf(buffer), 3, buffer.length)).toBe(buffer.length);
  buffer[buffer.length - 1] = 13;
  expect(valueEnd(buffer, wordsOf(buffer), 3, buffer.length)).toBe(buffer.length - 1);
  expect(valueEnd(buffer, wordsOf(buffer), buffer.length, buffer.length)).toBe(buffer.length);
});

it('small and crooked buffers are not viewed', () => {
  expect(wordsOf(Buffer.alloc(1024))).toBeNull();
  expect(wordsOf(Buffer.alloc(BUFFER_BYTES).subarray(1))).toBeNull();
});
