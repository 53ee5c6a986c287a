// Names derived by the reference for the same parents: a difference would orphan existing objects.

import { describe, expect, it } from 'vitest';
import { adler32, childName, generatedRevisionName } from './naming.ts';

describe('CP-61: child names', () => {
  it.each([
    ['foo', '-00001', 'foo-00001'],
    ['u'.repeat(63), '-cache', 'uuuuuuuuuuuuuuuuuuuuuuuuuca47ad1ce8479df271ec0d23653ce256-cache'],
    ['a'.repeat(58), '-00001', 'aaaaaaaaaaaaaaaaaaaaaaaaadc2f2f2462a0d72358b2f99389458606-00001'],
    [
      'a'.repeat(63),
      '-deployment',
      'aaaaaaaaaaaaaaaaaaaab06521f39153d618550606be297466d5-deployment',
    ],
    ['a'.repeat(63), '-private', 'aaaaaaaaaaaaaaaaaaaaaaab06521f39153d618550606be297466d5-private'],
    ['a'.repeat(70), '', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0f5c6c4e740bfcc08c3c26ccb2673d46'],
    [
      'b'.repeat(20),
      `-${'c'.repeat(50)}`,
      'bbbbbbbbbbbbbbbbbbbb42f6be97bc558601736780a4473bd3f5-cccccccccc',
    ],
  ])('%s + %s', (parent, suffix, expected) => {
    expect(childName(parent, suffix)).toBe(expected);
    expect(childName(parent, suffix).length).toBeLessThanOrEqual(63);
  });

  it('a generated revision name pads the generation to five digits', () => {
    expect(generatedRevisionName('hello', 1)).toBe('hello-00001');
    expect(generatedRevisionName('hello', 123456)).toBe('hello-123456');
  });

  it.each([
    ['blue', 69140905],
    ['v1', 18809000],
    ['latest', 147587726],
  ])('CP-62: the tag checksum of %s is %i', (tag, expected) => {
    expect(adler32(tag)).toBe(expected);
  });
});
