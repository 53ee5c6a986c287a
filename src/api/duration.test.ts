// Durations must read and print exactly as Go does: texts end up in annotations and error messages.

import { describe, expect, it } from 'vitest';
import {
  formatDurationNs,
  parseDurationMs,
  parseDurationNs,
  tryParseDurationMs,
} from './duration.ts';

describe('Go durations', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['300ms', 300],
    ['1h5m', 3_900_000],
    ['1.5s', 1500],
    ['.5s', 500],
    ['1.s', 1000],
    ['-30s', -30_000],
    ['+2m', 120_000],
    ['100us', 0.1],
    ['7µs', 0.007],
  ])('%s is %f ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each([
    ['', 'time: invalid duration ""'],
    ['abc', 'time: invalid duration "abc"'],
    ['-', 'time: invalid duration "-"'],
    ['.s', 'time: invalid duration ".s"'],
    ['10', 'time: missing unit in duration "10"'],
    ['1d', 'time: unknown unit "d" in duration "1d"'],
    ['1s ', 'time: unknown unit "s " in duration "1s "'],
    ['99999999999h', 'time: invalid duration "99999999999h"'],
  ])('%j is refused', (text, message) => {
    expect(() => parseDurationNs(text)).toThrow(message);
    expect(tryParseDurationMs(text)).toBeUndefined();
  });

  it.each([
    [0, '0s'],
    [1, '1ns'],
    [1_500, '1.5µs'],
    [2e6, '2ms'],
    [1.1e9, '1.1s'],
    [6e9, '6s'],
    [600e9, '10m0s'],
    [3600e9, '1h0m0s'],
    [-1e9, '-1s'],
  ])('%d ns prints as %s', (ns, text) => {
    expect(formatDurationNs(ns)).toBe(text);
  });
});
