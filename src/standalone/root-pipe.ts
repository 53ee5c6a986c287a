// A role process's end of the pipe to the root. When the pipe ends, the root is gone: nothing of
// the run may stay, so this process kills what it can find of it and goes too.

import { CommandError, describeError, EXIT_FAILURE } from '../cli/errors.ts';
import { systemClock } from '../clock/clock.ts';
import { type Fatal, RUN_VARIABLE } from './messages.ts';
import { reap } from './reaper.ts';

export interface RootPipe<Outgoing extends object> {
  send(message: Outgoing | Fatal): void;
  /** Tells the root that starting again will not help, and ends. Never returns normally. */
  fail(error: unknown): void;
}

/** `onMessage` is called for every message, in order. `groups` are killed when the root is gone. */
export function openRootPipe<Incoming, Outgoing extends object>(options: {
  onMessage(message: Incoming): void;
  groups(): Iterable<number>;
}): RootPipe<Outgoing> {
  if (process.send === undefined) {
    throw new CommandError('this role is started by `pilotlight up` and not by hand');
  }
  process.on('message', (message) => options.onMessage(message as Incoming));
  process.on('disconnect', () => void leave(options.groups()));
  // The terminal's Ctrl-C is the root's; a SIGTERM sent to us alone ends us and we are started
  // again.
  process.on('SIGINT', () => undefined);
  const send = (message: Outgoing | Fatal, done?: () => void) => {
    // An error means the pipe has ended, which 'disconnect' answers.
    process.send?.(message, undefined, {}, () => done?.());
  };
  return {
    send: (message) => send(message),
    fail(error) {
      const described = describeError(error);
      const message =
        described?.problems.join('\n') ?? (error instanceof Error ? `${error.stack}` : `${error}`);
      const exitCode = described?.exitCode ?? EXIT_FAILURE;
      send({ type: 'fatal', message, exitCode }, () => process.exit(exitCode));
    },
  };
}

async function leave(groups: Iterable<number>): Promise<void> {
  const run = process.env[RUN_VARIABLE];
  if (run !== undefined && run !== '') {
    await reap({ marker: `${RUN_VARIABLE}=${run}`, groups }, systemClock);
  }
  process.exit(EXIT_FAILURE);
}
