// attach: what a container prints from now on, until it ends. Containers here have no input and no
// terminal of their own, so there is nothing to send; the log keeps both outputs in one order.

import type { Readable } from 'node:stream';
import type * as core from '../../api/core.ts';
import { PodLogError, type PodLogSource } from '../pod-logs.ts';
import { type ExecSession, PodStreamError } from '../pod-streams.ts';

/** Rejects with PodStreamError when the container has no log. */
export async function attachToLog(
  source: PodLogSource,
  pod: core.Pod,
  container: string,
): Promise<ExecSession> {
  const { name, namespace = '' } = pod.metadata;
  const options = {
    follow: true,
    previous: false,
    tailLines: 0,
    sinceTimeMs: null,
    timestamps: false,
  };
  let log: Readable;
  try {
    log = await source.open(namespace, name, container, options);
  } catch (error) {
    if (error instanceof PodLogError) throw new PodStreamError(error.code, error.message);
    throw error;
  }
  return {
    stdin: null,
    stdout: log,
    stderr: null,
    exitCode: new Promise((resolve) => log.once('close', () => resolve(0))),
    resize: () => undefined,
    kill: () => log.destroy(),
  };
}
