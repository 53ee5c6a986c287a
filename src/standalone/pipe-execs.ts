// Control's side of commands beside containers: listens on a socket in a folder of its own, asks
// the root to run the command with that socket's connections for descriptors, and hands them out as
// streams.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExecRequest, type ExecSession, PodStreamError } from '../apiserver/pod-streams.ts';
import type { Clock } from '../clock/clock.ts';
import type { FromControl, ToControl } from './messages.ts';

/** Commands beside containers at once; more are refused. */
const MAX_EXECS = 100;
/** The root answers within milliseconds or not at all. */
const START_TIMEOUT_MS = 10_000;
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

export class PipeExecs {
  readonly #send: (message: FromControl) => void;
  readonly #clock: Clock;
  readonly #nextId: () => string;
  readonly #ends = new Map<string, (exitCode: number, problem: string | null) => void>();

  /** `nextId` must never give the same text twice. */
  constructor(send: (message: FromControl) => void, clock: Clock, nextId: () => string) {
    this.#send = send;
    this.#clock = clock;
    this.#nextId = nextId;
  }

  /** True when the message was for a command. */
  handle(message: ToControl): boolean {
    if (message.type !== 'execEnded') return false;
    this.#ends.get(message.requestId)?.(message.exitCode, message.problem);
    this.#ends.delete(message.requestId);
    return true;
  }

  /** Rejects with PodStreamError when the command cannot be run. */
  async start(containerId: string, request: ExecRequest): Promise<ExecSession> {
    if (this.#ends.size >= MAX_EXECS) {
      throw new PodStreamError(500, `${MAX_EXECS} commands run beside containers already`);
    }
    const requestId = this.#nextId();
    const streams = [...(request.stdin ? [STDIN] : []), STDOUT, ...(request.tty ? [] : [STDERR])];
    const folder = await mkdtemp(join(tmpdir(), 'pilotlight-exec-'));
    const socketPath = join(folder, 's');
    let reportExit: (exitCode: number) => void = () => undefined;
    const exitCode = new Promise<number>((resolve) => {
      reportExit = resolve;
    });
    try {
      const sockets = await new Promise<Map<number, Socket>>((resolve, reject) => {
        this.#ends.set(requestId, (code, problem) => {
          reportExit(code);
          if (problem !== null) reject(new PodStreamError(400, problem));
        });
        this.#gather(socketPath, streams.length, resolve, reject, () => {
          this.#send({
            type: 'execStart',
            requestId,
            id: containerId,
            argv: request.command,
            isTerminal: request.tty,
            socketPath,
            streams,
          });
        });
      });
      return this.#session(requestId, sockets, exitCode);
    } finally {
      void rm(folder, { recursive: true, force: true });
    }
  }

  /** Calls `onListening`, then `resolve` with `count` connections by their first byte. */
  #gather(
    path: string,
    count: number,
    resolve: (sockets: Map<number, Socket>) => void,
    reject: (error: Error) => void,
    onListening: () => void,
  ): void {
    const sockets = new Map<number, Socket>();
    const server = createServer((socket) => {
      socket.on('error', () => undefined); // 'close' follows.
      socket.once('data', (first: Buffer) => {
        socket.pause();
        if (first.length > 1) socket.unshift(first.subarray(1));
        sockets.set(first[0] ?? 0, socket);
        if (sockets.size < count) return;
        timer.cancel();
        server.close();
        resolve(sockets);
      });
    });
    const timer = this.#clock.setTimer(START_TIMEOUT_MS, () => {
      server.close();
      reject(new PodStreamError(500, 'the command was not started in time'));
    });
    server.once('error', reject);
    server.listen(path, onListening);
  }

  #session(
    requestId: string,
    sockets: ReadonlyMap<number, Socket>,
    exitCode: Promise<number>,
  ): ExecSession {
    const stdin = sockets.get(STDIN) ?? null;
    stdin?.resume(); // Nothing comes from there but the end.
    return {
      stdin,
      stdout: sockets.get(STDOUT) as Socket,
      stderr: sockets.get(STDERR) ?? null,
      exitCode,
      resize: ({ rows, columns }) => this.#send({ type: 'execResize', requestId, rows, columns }),
      kill: () => this.#send({ type: 'execKill', requestId }),
    };
  }
}
