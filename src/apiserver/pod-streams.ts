// What the API server asks of whoever runs the pods, beyond their logs: where a port of a pod is,
// and a command run beside a container. The server speaks the streaming protocols and knows nothing
// of processes.

import type { Readable, Writable } from 'node:stream';
import type * as core from '../api/core.ts';

export interface ExecRequest {
  pod: core.Pod;
  container: string;
  /** Never empty. */
  command: readonly string[];
  stdin: boolean;
  /** stdout and stderr come as one, through a terminal. */
  tty: boolean;
}

export interface ExecSession {
  /** Null when no input was asked for. */
  stdin: Writable | null;
  stdout: Readable;
  /** Null with a terminal. */
  stderr: Readable | null;
  /** Resolves when the command has ended; -1 when nobody knows how. */
  exitCode: Promise<number>;
  resize(size: TerminalSize): void;
  /** Ends the command and everything it started; harmless when it has ended. */
  kill(): void;
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

/** Thrown by the methods below: answered as a Status with this code and message. */
export class PodStreamError extends Error {
  readonly code: 400 | 404 | 500;

  constructor(code: 400 | 404 | 500, message: string) {
    super(message);
    this.name = 'PodStreamError';
    this.code = code;
  }
}

export interface PodStreams {
  /** Rejects with PodStreamError when the pod has no such port. */
  findPort(pod: core.Pod, port: number): Promise<{ host: string; port: number }>;
  /** Rejects with PodStreamError when the command cannot be run. */
  exec(request: ExecRequest): Promise<ExecSession>;
}

/** For a server without anything that runs pods. */
export const noPodStreams: PodStreams = {
  async findPort(pod) {
    throw new PodStreamError(400, `pod "${pod.metadata.name}" has no ports here`);
  },
  async exec({ pod }) {
    throw new PodStreamError(400, `pod "${pod.metadata.name}" runs no commands here`);
  },
};
