// The root of `pilotlight up`: starts the control and data-plane processes and starts them again,
// starts and ends pods for them, owns the terminal and the ports, and leaves nothing behind.
// Small on purpose: `spawn` forks, and a fork costs in proportion to this process's memory, so
// nothing heavy is imported here (no logger, no YAML, no API client).

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import { ContainerTable } from './container-table.ts';
import { acquireLock } from './lock.ts';
import {
  type ApiConnection,
  EXIT_FAILURE,
  type FromControl,
  type FromDataPlane,
  RUN_VARIABLE,
  type ToControl,
  type ToDataPlane,
  type UpSettings,
} from './messages.ts';
import { describeReady } from './ready-text.ts';
import { killGroup, ReaperHelper, reap } from './reaper.ts';
import { RoleProcess } from './role-process.ts';
import { RootExecs } from './root-exec.ts';
import { ServiceAnnouncer } from './service-announcer.ts';
import type { Terminal } from './terminal.ts';
import { chooseSettings, type UpRequest } from './up-settings.ts';
import { formatTimeline, WakeCollector } from './wake-timeline.ts';
import { findWrapper } from './wrapper.ts';

/** How long each part gets to end by itself after Ctrl-C. */
const DRAIN_PATIENCE_MS = 8_000;
const POD_PATIENCE_MS = 2_000;
const POD_POLL_MS = 10;
/** A program that cannot even start is not helped by starting it for ever. */
const MAX_FAILED_STARTS = 6;

/** Runs until told to stop; resolves with the exit code. Rejects with errors worth one sentence. */
export async function runRoot(
  request: UpRequest,
  terminal: Terminal,
  clock: Clock,
): Promise<number> {
  const dataDir = request.isEphemeral
    ? mkdtempSync(join(tmpdir(), 'pilotlight-'))
    : request.dataDir;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const lock = acquireLock(dataDir);
  try {
    const markerPrefix = `${RUN_VARIABLE}=${hashOf(dataDir)}.`;
    const swept = await reap({ marker: markerPrefix }, clock);
    if (swept > 0) {
      terminal.say(
        'WARN',
        'leftovers ended',
        { count: swept },
        `ended ${swept} processes of an earlier run`,
      );
    }
    const settings = await chooseSettings(request, dataDir);
    const run = `${hashOf(dataDir)}.${randomBytes(6).toString('hex')}`;
    const root = new Root(request, settings, run, terminal, clock);
    return await root.run();
  } finally {
    lock.release();
    if (request.isEphemeral) rmSync(dataDir, { recursive: true, force: true });
  }
}

function hashOf(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
}

class Root {
  readonly #settings: UpSettings;
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #run: string;
  readonly #helper: ReaperHelper;
  readonly #control: RoleProcess<ToControl, FromControl>;
  readonly #dataPlane: RoleProcess<ToDataPlane, FromDataPlane>;
  readonly #containers: ContainerTable;
  readonly #execs: RootExecs;
  readonly #wakes = new WakeCollector();
  readonly #announcer: ServiceAnnouncer;
  #connection: ApiConnection | null = null;
  #kubeconfig = '';
  #autoscalerPort = 0;
  #activatorPort = 0;
  #isControlUp = false;
  #isDataPlaneUp = false;
  #isApplied = false;
  #isReady = false;
  #isStopping = false;
  /** Deaths of role processes before everything was ready for the first time. */
  #failedStarts = 0;
  #finish: (exitCode: number) => void = () => undefined;

  constructor(
    request: UpRequest,
    settings: UpSettings,
    run: string,
    terminal: Terminal,
    clock: Clock,
  ) {
    this.#settings = settings;
    this.#terminal = terminal;
    this.#clock = clock;
    this.#run = run;
    this.#announcer = new ServiceAnnouncer(terminal, settings.gatewayPort);
    this.#helper = new ReaperHelper(`${RUN_VARIABLE}=${run}`);
    const env = { ...request.env, [RUN_VARIABLE]: run };
    this.#control = this.#roleProcess<ToControl, FromControl>('control', request, env, {
      onStart: (isFirstStart) => this.#initControl(isFirstStart),
      onMessage: (message) => this.#handleControl(message),
    });
    this.#dataPlane = this.#roleProcess<ToDataPlane, FromDataPlane>('data-plane', request, env, {
      onStart: () => this.#initDataPlane(),
      onMessage: (message) => this.#handleDataPlane(message),
    });
    this.#containers = new ContainerTable({
      clock,
      logRoot: settings.logRoot,
      run,
      wrapper: findWrapper(request.env.PATH),
      hostsSidecars: settings.sidecar === 'hosted',
      toControl: (message) => this.#control.send(message),
      toDataPlane: (message) => this.#dataPlane.send(message),
      onGroup: (pid, isAlive) => this.#trackGroup(pid, isAlive),
    });
    this.#execs = new RootExecs({
      clock,
      wrapper: findWrapper(request.env.PATH),
      context: (id) => this.#containers.context(id),
      toControl: (message) => this.#control.send(message),
    });
  }

  /** Resolves with the exit code when everything has ended. */
  run(): Promise<number> {
    this.#helper.start();
    this.#terminal.status('starting');
    this.#control.start();
    this.#dataPlane.start();
    const interrupt = () => void this.#interrupted();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
    return new Promise((resolve) => {
      this.#finish = (exitCode) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
          process.off(signal, interrupt);
        this.#terminal.status('');
        resolve(exitCode);
      };
    });
  }

  #roleProcess<Outgoing extends object, Incoming>(
    role: 'control' | 'data-plane',
    request: UpRequest,
    env: Readonly<Record<string, string | undefined>>,
    handlers: { onStart(isFirstStart: boolean): void; onMessage(message: Incoming): void },
  ): RoleProcess<Outgoing, Incoming> {
    return new RoleProcess<Outgoing, Incoming>({
      name: role,
      argv: [...request.programArgv, '--role', `standalone-${role}`],
      env,
      clock: this.#clock,
      onLine: (line) => this.#handleLine(role, line),
      onDeath: (how) => this.#handleDeath(role, how),
      onGroup: (pid, isAlive) => this.#trackGroup(pid, isAlive),
      ...handlers,
    });
  }

  #trackGroup(pid: number, isAlive: boolean): void {
    if (isAlive) this.#helper.add(pid);
    else this.#helper.remove(pid);
  }

  #initControl(isFirstStart: boolean): void {
    const settings = this.#settings;
    const autoscalerPort = this.#autoscalerPort;
    this.#control.send({ type: 'init', settings, isFirstStart, autoscalerPort });
  }

  #initDataPlane(): void {
    if (this.#connection === null) return;
    this.#dataPlane.send({
      type: 'init',
      settings: this.#settings,
      connection: this.#connection,
      activatorPort: this.#activatorPort,
    });
    this.#containers.hostAgain();
  }

  #handleControl(message: FromControl): void {
    switch (message.type) {
      case 'up':
        this.#controlIsUp(message);
        break;
      case 'applied':
        this.#isApplied = true;
        this.#checkReady();
        break;
      case 'service':
        this.#announcer.handle(message.report);
        this.#showProgress();
        this.#checkReady();
        break;
      case 'start':
        this.#containers.start(message.spec);
        break;
      case 'signal':
        this.#containers.signal(message.id, message.signal);
        break;
      case 'forget':
        this.#containers.forget(message.id);
        break;
      case 'list': {
        const records = this.#containers.records();
        this.#control.send({ type: 'table', requestId: message.requestId, records });
        break;
      }
      case 'exec':
        void this.#exec(message);
        break;
      case 'fatal':
        this.#fail(message.message, message.exitCode);
        break;
      default:
        this.#execs.handle(message);
    }
  }

  async #exec(message: Extract<FromControl, { type: 'exec' }>): Promise<void> {
    const { requestId, id, argv, timeoutMs } = message;
    const exitCode = await this.#containers.exec(id, argv, timeoutMs);
    this.#control.send({ type: 'execDone', requestId, exitCode });
  }

  #controlIsUp(message: Extract<FromControl, { type: 'up' }>): void {
    const isFirst = this.#connection === null;
    this.#connection = message.connection;
    this.#kubeconfig = message.kubeconfig;
    this.#autoscalerPort = message.autoscalerPort;
    this.#isControlUp = true;
    if (!isFirst) this.#announceReturn('control', this.#control.pid);
    if (isFirst) this.#initDataPlane();
    this.#checkReady();
  }

  #handleDataPlane(message: FromDataPlane): void {
    switch (message.type) {
      case 'up':
        if (this.#activatorPort !== 0) this.#announceReturn('data-plane', this.#dataPlane.pid);
        this.#activatorPort = message.activatorPort;
        this.#isDataPlaneUp = true;
        this.#announcer.onGatewayUp(message.httpsPort);
        this.#checkReady();
        break;
      case 'hosted':
        this.#containers.handleHosted(message.id);
        break;
      case 'hostFailed':
        this.#containers.handleHostFailed(message.id, message.message);
        break;
      case 'unhosted':
        this.#containers.handleUnhosted(message.id);
        break;
      case 'fatal':
        this.#fail(message.message, message.exitCode);
    }
  }

  #showProgress(): void {
    const names = this.#announcer.undecided;
    if (names.length > 0) this.#terminal.status(`waiting for ${names.join(', ')}`);
    else this.#terminal.status(this.#isReady ? '' : 'starting');
  }

  /**
   * Ready = every role serves, the given files are applied and none of their Services is undecided.
   */
  #checkReady(): void {
    if (this.#isReady || !this.#isControlUp || !this.#isDataPlaneUp || !this.#isApplied) return;
    if (this.#announcer.undecided.length > 0) return;
    this.#isReady = true;
    void this.#containers.prepare();
    const { gatewayPort, localGatewayPort, dataDir } = this.#settings;
    const fields = {
      gatewayPort,
      localGatewayPort,
      apiServer: this.#connection?.server,
      kubeconfig: this.#kubeconfig,
      dataDir,
      pids: { root: process.pid, control: this.#control.pid, dataPlane: this.#dataPlane.pid },
    };
    const text = `ready: gateway http://127.0.0.1:${gatewayPort}, API ${fields.apiServer ?? ''}`;
    this.#terminal.say('INFO', 'ready', fields, text);
    this.#terminal.block(describeReady(this.#kubeconfig));
    this.#showProgress();
  }

  #handleLine(role: string, line: string): void {
    // On the way down every part misses the others; that is no news.
    if (!this.#isStopping) this.#terminal.childLine(role, line);
    const timeline = this.#wakes.read(line);
    if (timeline === null) return;
    this.#terminal.say('INFO', 'wake', timeline, formatTimeline(timeline));
  }

  #handleDeath(role: 'control' | 'data-plane', how: string): void {
    if (role === 'control') this.#isControlUp = false;
    else {
      this.#isDataPlaneUp = false;
      this.#announcer.onGatewayDown();
    }
    const text = `the ${role} process ended (${how}); starting it again`;
    this.#terminal.say('WARN', 'role process ended', { role, how }, text);
    this.#failedStarts += 1;
    if (this.#isReady || this.#failedStarts < MAX_FAILED_STARTS) return;
    this.#fail(`the ${role} process ends again and again (${how}); see above`, EXIT_FAILURE);
  }

  #announceReturn(role: string, pid: number): void {
    this.#terminal.say('INFO', 'role process back', { role, pid }, `the ${role} process is back`);
  }

  #fail(message: string, exitCode: number): void {
    if (this.#isStopping) return;
    this.#terminal.say('ERROR', 'failed', { detail: message }, message);
    void this.#stop(exitCode === 0 ? EXIT_FAILURE : exitCode);
  }

  async #interrupted(): Promise<void> {
    if (!this.#isStopping) {
      const text = 'stopping (once more to stop now)';
      this.#terminal.say('INFO', 'stopping', {}, text);
      return this.#stop(0);
    }
    this.#terminal.say('WARN', 'stopping now', {}, 'stopping now');
    await this.#end(130);
  }

  /**
   * Requests in flight are answered, the store is closed, apps get their SIGTERM; then the rest.
   */
  async #stop(exitCode: number): Promise<void> {
    this.#isStopping = true;
    this.#containers.close();
    this.#terminal.status('stopping');
    this.#control.send({ type: 'stop' });
    this.#dataPlane.send({ type: 'stop' });
    await Promise.all([
      this.#control.end(DRAIN_PATIENCE_MS),
      this.#dataPlane.end(DRAIN_PATIENCE_MS),
    ]);
    for (const group of this.#containers.groups()) killGroup(group, 'SIGTERM');
    const deadlineMs = this.#clock.monotonicMs() + POD_PATIENCE_MS;
    while (this.#containers.groups().length > 0 && this.#clock.monotonicMs() < deadlineMs) {
      await this.#clock.sleep(POD_POLL_MS);
    }
    await this.#end(exitCode);
  }

  async #end(exitCode: number): Promise<void> {
    this.#control.kill();
    this.#dataPlane.kill();
    const marker = `${RUN_VARIABLE}=${this.#run}`;
    await reap({ marker, groups: this.#containers.groups() }, this.#clock);
    this.#helper.dismiss();
    this.#finish(exitCode);
  }
}
