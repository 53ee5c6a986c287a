// Unit tests sit beside the source and run in parallel; a third worker uses what the first two of a
// machine with two cores leave while they wait. E2e tests start the real program from the
// built dist/: those that only wait for conditions run together, those that measure
// load, scale or kill processes one at a time.
import { defineConfig } from 'vitest/config';

const LOADED = [
  'coldstart-bench',
  'crash',
  'fail-over',
  'pods-die',
  'scale',
  'two-activators',
  'wake',
].map((name) => `test/e2e/${name}.test.ts`);

export default defineConfig({
  test: {
    reporters: ['default', './test/summary-reporter.js'],
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'src/**/*.test.ts',
            'bench/**/*.test.ts',
            'test/house/**/*.test.ts',
            'test/conformance/**/*.test.ts',
          ],
          exclude: ['test/conformance/serving/**'],
          pool: 'forks',
          maxWorkers: 3,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/conformance/serving/**/*.test.ts'],
          exclude: LOADED,
          pool: 'forks',
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e-alone',
          include: LOADED,
          pool: 'forks',
          maxWorkers: 1,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
