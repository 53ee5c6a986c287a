// How commands fail: one sentence on stderr and an exit code. 1 = it could not be done, 2 = it was
// asked for wrongly (usage, YAML, a refused object).

import { ApiError } from '../kube/types.ts';
import { SettingsProblems } from '../settings/settings.ts';

export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = EXIT_FAILURE) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Bad input, with every problem found; each line is `file:line: what`. */
export class ManifestError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ManifestError';
    this.problems = problems;
  }
}

export interface DescribedError {
  /** Each a sentence of its own; may go on over several lines. */
  problems: readonly string[];
  exitCode: number;
}

/** Null: not an error people caused or can do something about; its stack is wanted. */
export function describeError(error: unknown): DescribedError | null {
  if (error instanceof CommandError) {
    return { problems: error.message.split('\n'), exitCode: error.exitCode };
  }
  if (error instanceof ManifestError || error instanceof SettingsProblems) {
    return { problems: error.problems, exitCode: EXIT_USAGE };
  }
  if (error instanceof ApiError) {
    const reason = error.reason === '' ? '' : ` (${error.reason})`;
    const message = `the API server said${reason}: ${error.message}`;
    return { problems: [message], exitCode: EXIT_FAILURE };
  }
  if (!(error instanceof Error)) return null;
  if (error.name === 'KubeNetworkError') {
    const message = `${error.message}; is \`pilotlight up\` running?`;
    return { problems: [message], exitCode: EXIT_FAILURE };
  }
  const expected = ['DataDirInUseError', 'PortTakenError', 'DataDirectoryError'].includes(
    error.name,
  );
  const code = (error as NodeJS.ErrnoException).code;
  if (expected || typeof code === 'string')
    return { problems: [error.message], exitCode: EXIT_FAILURE };
  return null;
}
