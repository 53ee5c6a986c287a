// What a torture scenario is: a module with a name and a `run` that starts real processes, drives
// them past their limits and returns rows, each with a verdict. The same scenario runs long from
// the command line and brief inside `npm test`, so that it cannot rot.

/** Measures beside the verdict carry their unit in the name. */
export interface TortureRow {
  readonly name: string;
  /** False fails the run. */
  readonly ok: boolean;
  readonly [measure: string]: string | number | boolean | null;
}

export interface TortureOptions {
  /** Length of the timed part; null = the scenario's own. */
  readonly seconds: number | null;
  /** How many of what the scenario has many of; null = the scenario's own. */
  readonly count: number | null;
  readonly threads: number;
  readonly engine: 'net' | 'uws';
  /** Small sizes, for the tests: a few seconds altogether. */
  readonly brief: boolean;
  /** Progress for people. */
  readonly say: (line: string) => void;
}

export interface TortureScenario {
  readonly name: string;
  run(options: TortureOptions): Promise<readonly TortureRow[]>;
}

/** What the tests pass. */
export const BRIEF: TortureOptions = {
  seconds: null,
  count: null,
  threads: 1,
  engine: 'net',
  brief: true,
  say: () => undefined,
};
