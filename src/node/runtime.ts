// What the node agent asks of whoever can start things. Standalone answers it over a pipe to the
// root process; another runtime (podman, a remote machine) would be another implementation.
// Containers outlive the agent: after a restart it finds them again with `list`.

/** One attempt at running one container. A restart is a new spec with the next `attempt`. */
export interface ContainerSpec {
  /** Unique for ever: `podUid/container/attempt`. */
  id: string;
  podUid: string;
  namespace: string;
  podName: string;
  container: string;
  /** 0 for the first start, then the restart count. */
  attempt: number;
  /** `sidecar` = the queue-proxy, which a runtime may host in a process it already has. */
  kind: 'process' | 'sidecar';
  /** Executable (absolute path) and arguments; empty for a hosted sidecar. */
  argv: readonly string[];
  /** Absolute. */
  cwd: string;
  /** The whole environment; nothing is inherited. */
  env: Readonly<Record<string, string>>;
}

export interface ContainerExit {
  /** 128 + signal number when a signal ended it, as a shell reports it. */
  exitCode: number;
  signal: string | null;
  /** Unix milliseconds. */
  finishedAtMs: number;
  /** At most 80 lines and 2048 bytes (RC-82). */
  logTail: string;
}

export interface ContainerRecord {
  spec: ContainerSpec;
  /** Null for a hosted sidecar. */
  pid: number | null;
  startedAtMs: number;
  /** Null while it runs. */
  exit: ContainerExit | null;
}

export type ContainerSignal = 'SIGTERM' | 'SIGKILL';

export interface ContainerRuntime {
  /**
   * Resolves once the process exists (or the sidecar listens); rejects with a sentence for people.
   */
  start(spec: ContainerSpec): Promise<{ pid: number | null; startedAtMs: number }>;
  /** To the whole process group. Unknown or ended containers are ignored. */
  signal(id: string, signal: ContainerSignal): void;
  /** Runs a command beside a running container, in its environment; resolves with the exit code. */
  exec(id: string, argv: readonly string[], timeoutMs: number): Promise<number>;
  /** Running containers and those whose exit nobody has forgotten yet. */
  list(): Promise<ContainerRecord[]>;
  /** Drops the record of an ended container. */
  forget(id: string): void;
  /** One listener; called once per container that ends. */
  onExit(listener: (id: string, exit: ContainerExit) => void): void;
}

export function containerId(podUid: string, container: string, attempt: number): string {
  return `${podUid}/${container}/${attempt}`;
}

/** What an informal caller may throw, as a sentence. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
