// One exec or attach, whatever protocol carries it: joins the client's streams with the command's,
// and says at the end how it ended (KN-232). A client that leaves ends its command.

import { pipeline, type Readable, type Writable } from 'node:stream';
import type { ExecSession, TerminalSize } from '../pod-streams.ts';

/** The client's end. */
export interface RemoteStreams {
  stdin: Readable | null;
  stdout: Writable | null;
  stderr: Writable | null;
  onResize(listener: (size: TerminalSize) => void): void;
  /** Sends the final Status, after everything written before, and closes. */
  finish(status: object): void;
  /** Called once, when the client is gone. */
  onGone(listener: () => void): void;
}

export function exitStatus(exitCode: number): object {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** Resolves when the command and its output have ended. */
export async function runRemoteCommand(remote: RemoteStreams, session: ExecSession): Promise<void> {
  remote.onGone(() => session.kill());
  remote.onResize((size) => session.resize(size));
  if (remote.stdin !== null && session.stdin !== null) {
    session.stdin.on('error', () => undefined); // The command no longer reads: its own affair.
    remote.stdin.pipe(session.stdin);
  }
  const outputs = [copy(session.stdout, remote.stdout)];
  if (session.stderr !== null) outputs.push(copy(session.stderr, remote.stderr));
  const exitCode = await session.exitCode;
  await Promise.all(outputs);
  remote.finish(exitStatus(exitCode));
}

/** Resolves when `to` has taken everything, or either end is gone. */
function copy(from: Readable, to: Writable | null): Promise<void> {
  return new Promise((resolve) => {
    from.on('error', () => undefined); // Ends the copy, which is all there is to say.
    if (to !== null) {
      pipeline(from, to, () => resolve());
      return;
    }
    from.once('close', resolve);
    from.resume();
  });
}
