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

/** Null: not an error people caused or can do something about; its stack is wanted. */
export function describeError(error: unknown): { message: string; exitCode: number } | null {
  if (error instanceof CommandError) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof ManifestError || error instanceof SettingsProblems) {
    return { message: error.message, exitCode: EXIT_USAGE };
  }
  if (error instanceof ApiError) {
    const reason = error.reason === '' ? '' : ` (${error.reason})`;
    return { message: `the API server said${reason}: ${error.message}`, exitCode: EXIT_FAILURE };
  }
  if (!(error instanceof Error)) return null;
  if (error.name === 'KubeNetworkError') {
    const message = `${error.message}; is \`pilotlight up\` running?`;
    return { message, exitCode: EXIT_FAILURE };
  }
  const expected = ['DataDirInUseError', 'PortTakenError', 'DataDirectoryError'].includes(
    error.name,
  );
  const code = (error as NodeJS.ErrnoException).code;
  if (expected || typeof code === 'string')
    return { message: error.message, exitCode: EXIT_FAILURE };
  return null;
}
