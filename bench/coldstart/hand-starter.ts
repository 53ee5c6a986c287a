// The bench's end of the pipe to `by-hand`: asks it to start so many apps at once and hands back
// how long each took.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../test/support/pilotlight.ts';
import type { HandAnswer, HandRequest } from './by-hand.ts';

/** Built, because Node 20 runs no TypeScript; `npm test` builds before it runs. */
const BY_HAND = join(ROOT, 'dist-bench', 'bench', 'coldstart', 'by-hand.js');

export class HandStarter {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(BY_HAND, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Milliseconds from the start to the answer of each of `count` apps started together. */
  async start(app: string, count: number): Promise<number[]> {
    const request: HandRequest = { argv: [process.execPath, app], env: podEnvironment(), count };
    const answer = new Promise<HandAnswer>((resolve, reject) => {
      this.#child.once('message', (message) => resolve(message as HandAnswer));
      this.#child.once('exit', (code) => reject(new Error(`by-hand ended with ${code}`)));
    });
    this.#child.send(request);
    const result = await answer;
    this.#child.removeAllListeners('exit');
    if ('error' in result) throw new Error(result.error);
    return result.ms;
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** What a pod sees of our environment; more (NODE_OPTIONS, CA bundles) would slow Node down. */
function podEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
