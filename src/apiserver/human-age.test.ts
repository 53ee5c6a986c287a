// Ages as kubectl prints them.

import { expect, test } from 'vitest';
import { humanAge, humanDuration } from './human-age.ts';

test.each([
  [0, '0s'],
  [90, '90s'],
  [119, '119s'],
  [120, '2m'],
  [125, '2m5s'],
  [300, '5m'],
  [600, '10m'],
  [10_799, '179m'],
  [10_800, '3h'],
  [11_520, '3h12m'],
  [8 * 3600, '8h'],
  [47 * 3600, '47h'],
  [48 * 3600, '2d'],
  [50 * 3600, '2d2h'],
  [8 * 86_400, '8d'],
  [(2 * 365 + 31) * 86_400, '2y31d'],
  [9 * 365 * 86_400, '9y'],
])('KN-142: %d seconds print as %s', (seconds, expected) => {
  expect(humanDuration(seconds)).toBe(expected);
});

test('KN-142: unset is <unknown>, the future is <invalid>, a little skew is 0s', () => {
  const nowMs = Date.parse('2026-11-21T00:00:00Z');
  expect(humanAge(undefined, nowMs)).toBe('<unknown>');
  expect(humanAge('2026-11-21T00:01:00Z', nowMs)).toBe('<invalid>');
  expect(humanAge('2026-11-21T00:00:01Z', nowMs)).toBe('0s');
  expect(humanAge('2026-11-20T23:55:00Z', nowMs)).toBe('5m');
});
