// What the three processes of standalone mode say to each other, as JSON over the IPC pipe that
// every child has to the root. Pods are started and ended only by these messages; objects travel
// through the API and never here.

import type {
  ContainerExit,
  ContainerRecord,
  ContainerSignal,
  ContainerSpec,
} from '../node/runtime.ts';

/** What `pilotlight up` was asked for, after parsing and choosing ports. */
export interface UpSettings {
  name: string;
  /** Absolute. A temporary folder, removed at the end, with `--ephemeral`. */
  dataDir: string;
  isEphemeral: boolean;
  durability: 'kernel' | 'disk';
  /** Absolute paths of files and folders to apply at the first start. */
  files: readonly string[];
  gatewayPort: number;
  localGatewayPort: number;
  apiPort: number;
  /** Domain of service URLs; written to config-domain when not null. */
  domain: string | null;
  /** `name=command` texts, already checked. */
  images: readonly string[];
  sidecar: 'hosted' | 'process';
  startDir: string;
  /** PATH, HOME, USER, LANG, TMPDIR for pods. */
  baseEnv: Readonly<Record<string, string>>;
  /** What queue-proxies get beside their pod's environment. */
  sidecarEnv: Readonly<Record<string, string>>;
  /** Executable and arguments of a queue-proxy process. */
  sidecarArgv: readonly string[];
  /** Folder of container logs. */
  logRoot: string;
}

/** How to reach the embedded API. */
export interface ApiConnection {
  server: string;
  caPem: string;
  token: string;
}

/** The state of one Knative Service as people want to hear it. */
export interface ServiceReport {
  /** `namespace/name`. */
  service: string;
  /** Null: not decided yet. */
  isReady: boolean | null;
  reason: string;
  message: string;
  url: string | null;
  /** Absolute path of whom to trust at an https URL; null = nobody in particular. */
  caFile: string | null;
}

export type ToControl =
  | { type: 'init'; settings: UpSettings; isFirstStart: boolean; autoscalerPort: number }
  | { type: 'started'; id: string; pid: number | null; startedAtMs: number }
  | { type: 'startFailed'; id: string; message: string }
  | { type: 'exited'; id: string; exit: ContainerExit }
  | { type: 'table'; requestId: number; records: ContainerRecord[] }
  | { type: 'execDone'; requestId: number; exitCode: number }
  | { type: 'execEnded'; requestId: string; exitCode: number; problem: string | null }
  | { type: 'stop' };

export type FromControl =
  | { type: 'up'; connection: ApiConnection; kubeconfig: string; autoscalerPort: number }
  | { type: 'applied'; objects: number }
  | { type: 'service'; report: ServiceReport }
  | { type: 'start'; spec: ContainerSpec }
  | { type: 'signal'; id: string; signal: ContainerSignal }
  | { type: 'forget'; id: string }
  | { type: 'list'; requestId: number }
  | { type: 'exec'; requestId: number; id: string; argv: readonly string[]; timeoutMs: number }
  | ExecMessage
  | Fatal;

/** Commands with streams beside containers; `root-exec.ts` answers with `execEnded`, once. */
export type ExecMessage =
  | {
      type: 'execStart';
      requestId: string;
      /** Of the container. */
      id: string;
      argv: readonly string[];
      isTerminal: boolean;
      /** Connected to once per stream; the first byte is the descriptor's number. */
      socketPath: string;
      streams: readonly number[];
    }
  | { type: 'execResize'; requestId: string; rows: number; columns: number }
  | { type: 'execKill'; requestId: string };

export type ToDataPlane =
  | { type: 'init'; settings: UpSettings; connection: ApiConnection; activatorPort: number }
  | { type: 'host'; id: string; env: Readonly<Record<string, string>> }
  | { type: 'unhost'; id: string; signal: ContainerSignal }
  /** An app wrote to its output: perhaps it listens now. */
  | { type: 'heard'; podUid: string }
  | { type: 'stop' };

export type FromDataPlane =
  /** `httpsPort` is the gateway's. */
  | { type: 'up'; activatorPort: number; httpsPort: number }
  | { type: 'hosted'; id: string }
  | { type: 'hostFailed'; id: string; message: string }
  | { type: 'unhosted'; id: string }
  | Fatal;

/** The process cannot do its work and starting it again will not help; `message` is for people. */
export interface Fatal {
  type: 'fatal';
  message: string;
  exitCode: number;
}

/** The same for every command: see `pilotlight --help`. */
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;

/** Marks every process of a run in its environment: `<data directory hash>.<run>`. */
export const RUN_VARIABLE = 'PILOTLIGHT_RUN';
/** Marks every process of a pod: the container's id. */
export const CONTAINER_VARIABLE = 'PILOTLIGHT_CONTAINER';
