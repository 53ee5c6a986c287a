import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseVectorFile, runVectors } from './vectors.ts';

const ours = fileURLToPath(new URL('./testdata/vectors.json', import.meta.url));
/** The specification's own file lies beside the repository, where there is one. */
const shared = fileURLToPath(
  new URL('../../../shared/spec/autoscaler-vectors.json', import.meta.url),
);

describe('worked examples', () => {
  it('all of ours hold', () => {
    const file = parseVectorFile(readFileSync(ours, 'utf8'));
    expect(runVectors(file)).toEqual({ passed: file.cases.length, failures: [] });
    expect(file.cases.length).toBeGreaterThan(20);
  });

  it.skipIf(!existsSync(shared))('all of the specification hold', () => {
    const file = parseVectorFile(readFileSync(shared, 'utf8'));
    expect(runVectors(file)).toEqual({ passed: file.cases.length, failures: [] });
  });

  it('a wrong expectation is reported with what came out instead', () => {
    const cases = [
      {
        id: 'a',
        kind: 'sample_size',
        input: { populations: [5] },
        expected: { sample_sizes: [5] },
      },
      { id: 'b', kind: 'nonsense', input: {}, expected: {} },
      { id: 'c', kind: 'sample_size', input: {}, expected: {} },
      {
        id: 'd',
        kind: 'sample_size',
        input: { populations: [1, 2] },
        expected: { sample_sizes: [1] },
      },
    ];
    const outcome = runVectors({ cases });
    expect(outcome.passed).toBe(0);
    expect(outcome.failures[0]).toBe('a (sample_size): sample_sizes.0 is 4, expected 5');
    expect(outcome.failures[1]).toBe('b (nonsense): unknown kind of case');
    expect(outcome.failures[2]).toMatch(/^c \(sample_size\): threw TypeError/);
    expect(outcome.failures[3]).toBe('d (sample_size): sample_sizes has 2 entries, expected 1');
  });

  it('a file of another shape is refused', () => {
    expect(() => parseVectorFile('{}')).toThrow('not a vector file');
  });
});
