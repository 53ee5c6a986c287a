// exec and attach over SPDY (KN-232): a stream per direction, told apart by their `streamtype`
// header. For kubectl before 1.31, and newer ones that could not open a WebSocket.

import type { Clock } from '../../clock/clock.ts';
import type { TerminalSize } from '../pod-streams.ts';
import { parseSize } from './channel-socket.ts';
import type { RemoteStreams } from './remote-command.ts';
import type { SpdySession, SpdyStream } from './spdy-session.ts';

/** Versions below 4 report a failed command as text. */
export const COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;
/** All streams of a command are opened within this, or the connection ends. */
const STREAMS_TIMEOUT_MS = 30_000;

/** Gathers the streams of one command; `onStream` is for the session. */
export class CommandStreams {
  readonly #wanted: ReadonlySet<string>;
  readonly #found = new Map<string, SpdyStream>();
  #resolve: () => void = () => undefined;

  constructor(wants: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean }) {
    this.#wanted = new Set([
      'error',
      ...(wants.stdin ? ['stdin'] : []),
      ...(wants.stdout ? ['stdout'] : []),
      ...(wants.stderr ? ['stderr'] : []),
      ...(wants.tty ? ['resize'] : []),
    ]);
  }

  readonly onStream = (stream: SpdyStream): void => {
    const type = stream.headers.get('streamtype') ?? '';
    if (!this.#wanted.has(type) || this.#found.has(type)) {
      stream.destroy();
      return;
    }
    this.#found.set(type, stream);
    if (this.#found.size === this.#wanted.size) this.#resolve();
  };

  /** Rejects when the client has not opened all of them in time. */
  async complete(clock: Clock): Promise<void> {
    if (this.#found.size === this.#wanted.size) return;
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimer(
        STREAMS_TIMEOUT_MS,
        () => reject(new Error('the client did not open all streams of the command')),
        { background: true },
      );
      this.#resolve = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** After `complete`. `whenGone` resolves when the connection has ended. */
  asRemote(session: SpdySession, whenGone: Promise<void>): RemoteStreams {
    const stream = (type: string): SpdyStream | null => this.#found.get(type) ?? null;
    const [stdin, stdout, stderr] = [stream('stdin'), stream('stdout'), stream('stderr')];
    const error = stream('error');
    error?.resume();
    return {
      stdin,
      stdout,
      stderr,
      onResize: (listener) => this.#readSizes(listener),
      finish(status) {
        stdout?.end();
        stderr?.end();
        error?.end(JSON.stringify(status), () => session.close());
      },
      onGone(listener) {
        void whenGone.then(listener);
      },
    };
  }

  /** One JSON object per write; a client sends them seconds apart. */
  #readSizes(listener: (size: TerminalSize) => void): void {
    this.#found.get('resize')?.on('data', (chunk: Buffer) => {
      const last = chunk.toString('utf8').trim().split('\n').pop() ?? '';
      const size = parseSize(Buffer.from(last));
      if (size !== null) listener(size);
    });
  }
}
