// Stock kubectl of every version found on the PATH, for tests that drive the API as people do. Each
// call has a home of its own, so that no cache or config of the machine's user plays a part.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Before 1.27 kubectl needs an OpenAPI v2 document (KN-123). */
const OLDEST_MINOR = 27;

export interface KubectlVersion {
  path: string;
  minor: number;
}

export interface KubectlResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** `kubectl` and `kubectl-1.NN` (or `kubectl.1.NN`), each binary once, newest first. */
export function findKubectls(): KubectlVersion[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((path) => existsSync(path));
  const paths = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^kubectl(?:[.-]?1\.\d+)?$/.test(name))
      .map((name) => realpathSync(join(folder, name))),
  );
  return [...new Set(paths)]
    .map((path) => ({ path, minor: minorOf(path) }))
    .filter(({ minor }) => minor >= OLDEST_MINOR)
    .sort((a, b) => b.minor - a.minor);
}

function minorOf(path: string): number {
  const args = ['version', '--client', '-o', 'json'];
  const { status, stdout } = spawnSync(path, args, { encoding: 'utf8' });
  if (status !== 0) return 0;
  const { clientVersion } = JSON.parse(stdout) as { clientVersion: { minor: string } };
  return Number.parseInt(clientVersion.minor, 10);
}

export class Kubectl {
  readonly #path: string;
  readonly #kubeconfig: string;
  readonly #home: string;

  readonly #variables: Readonly<Record<string, string>>;

  /** `variables` join the environment of every call. */
  constructor(
    path: string,
    kubeconfig: string,
    home: string,
    variables: Readonly<Record<string, string>> = {},
  ) {
    this.#path = path;
    this.#kubeconfig = kubeconfig;
    this.#home = home;
    this.#variables = variables;
  }

  /** Runs to its end; `input` goes to stdin, for `-f -`. */
  run(args: readonly string[], options: { input?: object | string; editor?: string } = {}) {
    const { input } = options;
    const text = typeof input === 'object' ? JSON.stringify(input) : input;
    const result = spawnSync(this.#path, ['--kubeconfig', this.#kubeconfig, ...args], {
      encoding: 'utf8',
      timeout: 90_000,
      env: this.#environment(options.editor),
      ...(text === undefined ? {} : { input: text }),
    });
    const { status, stdout, stderr } = result;
    return { status, stdout, stderr } satisfies KubectlResult;
  }

  /** Stdout of a command that must succeed; the words are split at spaces. */
  ok(command: string, input?: object | string): string {
    const result = this.run(command.split(' '), input === undefined ? {} : { input });
    if (result.status === 0) return result.stdout;
    throw new Error(`kubectl ${command}: exit ${result.status}\n${result.stderr}`);
  }

  /** Stderr of a command that must fail. */
  fails(command: string, input?: object | string): string {
    const result = this.run(command.split(' '), input === undefined ? {} : { input });
    if (result.status !== 0) return result.stderr;
    throw new Error(`kubectl ${command}: succeeded with ${result.stdout}`);
  }

  /** Runs until stopped. */
  follow(command: string): FollowedCommand {
    return this.followArgs(command.split(' '));
  }

  /** The same, for arguments with spaces. */
  followArgs(args: readonly string[]): FollowedCommand {
    const all = ['--kubeconfig', this.#kubeconfig, ...args];
    return new FollowedCommand(spawn(this.#path, all, { env: this.#environment() }));
  }

  #environment(editor?: string): NodeJS.ProcessEnv {
    const own = editor === undefined ? {} : { KUBE_EDITOR: editor };
    return { ...process.env, HOME: this.#home, ...this.#variables, ...own };
  }
}

export class FollowedCommand {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('utf8');
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString('utf8');
    });
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}
