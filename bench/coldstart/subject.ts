// One build of the program under test in the cold-start bench: started with its own data, with so
// many Services at zero, woken one by one or together.

import { rmSync } from 'node:fs';
import { KnativeService } from '../../src/api/kinds.ts';
import { WAKE_PHASES, type WakePhase } from '../../src/telemetry/wake.ts';
import {
  type AnyObject,
  condition,
  exampleService,
  MAIN,
  type Pilotlight,
  startPilotlight,
  temporaryFolder,
  until,
  wakesIn,
} from '../../test/support/pilotlight.ts';

const ANNOTATIONS = {
  // Requests go through the activator also when there is capacity to spare.
  'autoscaling.knative.dev/target-burst-capacity': '-1',
};

export class Subject {
  readonly name: string;
  readonly names: string[] = [];
  readonly #pilotlight: Pilotlight;
  readonly #dataDir: string;

  private constructor(name: string, pilotlight: Pilotlight, dataDir: string) {
    this.name = name;
    this.#pilotlight = pilotlight;
    this.#dataDir = dataDir;
  }

  /** `name` for the rows; `main` is the program's `dist/main.js`, by default this checkout's. */
  static async start(name: string, services: number, main: string = MAIN): Promise<Subject> {
    const dataDir = temporaryFolder();
    const subject = new Subject(name, await startPilotlight({ dataDir, main }), dataDir);
    await subject.#deploy(services);
    return subject;
  }

  async stop(): Promise<void> {
    await this.#pilotlight.stop();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  async atZero(name: string): Promise<void> {
    await until(
      `${name} at zero`,
      async () =>
        (await this.#pilotlight.podsMatching(`serving.knative.dev/service=${name}`)).length === 0,
      60_000,
      () => this.#pilotlight.tail(),
    );
  }

  /** Milliseconds from the request to the whole answer. */
  async wake(name: string): Promise<number> {
    const startMs = performance.now();
    const answer = await this.#pilotlight.get(`${name}.default.localhost`);
    if (answer.status !== 200) throw new Error(`${name} answered ${answer.status}: ${answer.body}`);
    return performance.now() - startMs;
  }

  /** Wake lines so far; a bookmark for `phases`. */
  get lineCount(): number {
    return this.#pilotlight.lines.length;
  }

  /** When each phase was reached, in ms since `queued`, of every wake logged after `firstLine`. */
  phases(firstLine: number): Record<WakePhase, number[]> {
    const wakes = wakesIn(this.#pilotlight.lines.slice(firstLine));
    const entries = WAKE_PHASES.map((phase) => [phase, wakes.flatMap((w) => w.get(phase) ?? [])]);
    return Object.fromEntries(entries) as Record<WakePhase, number[]>;
  }

  async #deploy(count: number): Promise<void> {
    const { client } = this.#pilotlight;
    for (let index = 0; index < count; index += 1) {
      const name = `cold-${index}`;
      await client.create(
        KnativeService,
        exampleService(name, 'hello', { annotations: ANNOTATIONS }),
      );
      this.names.push(name);
    }
    for (const name of this.names) await this.#whenReady(name);
  }

  async #whenReady(name: string): Promise<void> {
    const { client } = this.#pilotlight;
    await until(
      `${name} to be Ready`,
      async () =>
        condition(
          await client.get<AnyObject>(KnativeService, { namespace: 'default', name }),
          'Ready',
        ).status === 'True',
      60_000,
      () => this.#pilotlight.tail(),
    );
  }
}
