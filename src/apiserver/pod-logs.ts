// Where the API server gets container logs from. Whoever runs the pods implements this; the server
// only knows how to ask and how to say no (KN-231).

import type { Readable } from 'node:stream';

export interface PodLogOptions {
  /** Keep the stream open and send lines as they come. */
  follow: boolean;
  /** The log of the container's previous run. */
  previous: boolean;
  /** Only the last n lines; null = all. */
  tailLines: number | null;
  /** Only lines at or after this Unix time; null = all. */
  sinceTimeMs: number | null;
  /** Every line starts with an RFC 3339 nanosecond timestamp and a space. */
  timestamps: boolean;
}

/** Thrown by `open`: answered as a Status with this code and message. */
export class PodLogError extends Error {
  readonly code: 400 | 404;

  constructor(code: 400 | 404, message: string) {
    super(message);
    this.name = 'PodLogError';
    this.code = code;
  }
}

export interface PodLogSource {
  /**
   * `container` is never empty. The server destroys the stream when the client leaves. Rejects with
   * PodLogError, e.g. 400 `container "c" in pod "p" is waiting to start: ContainerCreating`.
   */
  open(
    namespace: string,
    pod: string,
    container: string,
    options: PodLogOptions,
  ): Promise<Readable> | Readable;
}

/** For a server without anything that runs pods. */
export const noPodLogs: PodLogSource = {
  open(_namespace, pod, container): never {
    throw new PodLogError(400, `container "${container}" in pod "${pod}" has no log here`);
  },
};
