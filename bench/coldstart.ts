// What a wake from zero costs over starting the same program by hand. All are done in turns in one
// run, the same way (spawn, know that it listens, ask once), with the same parallelism; the
// overhead is the difference of their medians. The control path (first request at the activator
// until the scale is written) and the other phases are read from the wake lines the program logs.
// With `--against DIR` the build in that checkout is woken in the same turns.

import { join } from 'node:path';
import type { WakePhase } from '../src/telemetry/wake.ts';
import { ROOT } from '../test/support/pilotlight.ts';
import { HandStarter } from './coldstart/hand-starter.ts';
import { Subject } from './coldstart/subject.ts';

export interface ColdstartOptions {
  tiny: boolean;
  /** Checkout with another build to wake in turns with this one; null = none. */
  against?: string | null;
  /** Sequential wakes (rounded to whole rounds of the services); null = 300. */
  rounds?: number | null;
  /** Names of rows; empty = all. */
  only?: readonly string[];
}

type Scenario = 'sequential' | 'parallel';

export interface ColdstartRow {
  name: Scenario;
  /** `this`, or `against`. */
  build: string;
  wakes: number;
  overheadP50Ms: number;
  overheadP95Ms: number;
  controlPathP50Ms: number;
  wakeP50Ms: number;
  wakeP95Ms: number;
  byHandP50Ms: number;
  byHandP95Ms: number;
  /** Medians of the phases, in ms since the request was queued. */
  pokeP50Ms: number;
  decidedP50Ms: number;
  scaledP50Ms: number;
  startedP50Ms: number;
  readyP50Ms: number;
  firstByteP50Ms: number;
}

interface Size {
  services: number;
  sequential: number;
  parallel: number;
  parallelRounds: number;
}

const APP = join(ROOT, 'examples', 'hello', 'server.js');
const FULL: Size = { services: 60, sequential: 300, parallel: 50, parallelRounds: 3 };
const TINY: Size = { services: 3, sequential: 4, parallel: 3, parallelRounds: 1 };

/** What one scenario measured: of each subject and of the starts by hand. */
interface Measured {
  woken: Map<Subject, number[]>;
  byHand: number[];
}

/** Runs the scenarios and returns their rows (decisions 0009, 0020). */
export async function run(options: ColdstartOptions): Promise<ColdstartRow[]> {
  const size = { ...(options.tiny ? TINY : FULL) };
  if (typeof options.rounds === 'number') size.sequential = options.rounds;
  const wants = (name: Scenario) =>
    options.only === undefined || options.only.length === 0 || options.only.includes(name);
  const hand = new HandStarter();
  const subjects: Subject[] = [];
  try {
    subjects.push(await Subject.start('this', size.services));
    if (typeof options.against === 'string') {
      const main = join(options.against, 'dist', 'main.js');
      subjects.push(await Subject.start('against', size.services, main));
    }
    const rows: ColdstartRow[] = [];
    if (wants('sequential')) rows.push(...(await sequential(subjects, hand, size)));
    if (wants('parallel')) rows.push(...(await parallel(subjects, hand, size)));
    return rows;
  } finally {
    hand.stop();
    await Promise.all(subjects.map((subject) => subject.stop()));
  }
}

async function sequential(
  subjects: Subject[],
  hand: HandStarter,
  size: Size,
): Promise<ColdstartRow[]> {
  return measure('sequential', subjects, size.sequential, async (index, measured) => {
    const turns = subjects.map((subject) => async () => {
      const name = subject.names[index % subject.names.length] ?? '';
      await subject.atZero(name);
      measured.woken.get(subject)?.push(await subject.wake(name));
    });
    const byHand = async () => {
      measured.byHand.push(...(await hand.start(APP, 1)));
    };
    await inTurns([byHand, ...turns], index);
  });
}

async function parallel(
  subjects: Subject[],
  hand: HandStarter,
  size: Size,
): Promise<ColdstartRow[]> {
  return measure('parallel', subjects, size.parallelRounds, async (index, measured) => {
    const turns = subjects.map((subject) => async () => {
      const names = subject.names.slice(0, size.parallel);
      for (const each of subjects) for (const name of each.names) await each.atZero(name);
      const woken = await Promise.all(names.map((name) => subject.wake(name)));
      measured.woken.get(subject)?.push(...woken);
    });
    const byHand = async () => {
      for (const each of subjects) for (const name of each.names) await each.atZero(name);
      measured.byHand.push(...(await hand.start(APP, size.parallel)));
    };
    await inTurns([byHand, ...turns], index);
  });
}

/** Whoever comes second runs beside what the first left behind: somebody else begins each round. */
async function inTurns(turns: (() => Promise<void>)[], index: number): Promise<void> {
  for (let turn = 0; turn < turns.length; turn += 1) {
    await turns[(turn + index) % turns.length]?.();
  }
}

async function measure(
  name: Scenario,
  subjects: Subject[],
  rounds: number,
  round: (index: number, measured: Measured) => Promise<void>,
): Promise<ColdstartRow[]> {
  const measured: Measured = {
    woken: new Map(subjects.map((subject) => [subject, []])),
    byHand: [],
  };
  const firstLines = subjects.map((subject) => subject.lineCount);
  for (let index = 0; index < rounds; index += 1) await round(index, measured);
  return subjects.map((subject, index) =>
    summarise(
      name,
      subject.name,
      measured.woken.get(subject) ?? [],
      measured.byHand,
      subject.phases(firstLines[index] ?? 0),
    ),
  );
}

function summarise(
  name: Scenario,
  build: string,
  woken: number[],
  byHand: number[],
  phases: Record<WakePhase, number[]>,
): ColdstartRow {
  const at = (values: number[], q: number) => round(quantile(values, q));
  return {
    name,
    build,
    wakes: woken.length,
    overheadP50Ms: round(quantile(woken, 0.5) - quantile(byHand, 0.5)),
    overheadP95Ms: round(quantile(woken, 0.95) - quantile(byHand, 0.95)),
    controlPathP50Ms: at(phases.scaled, 0.5),
    wakeP50Ms: at(woken, 0.5),
    wakeP95Ms: at(woken, 0.95),
    byHandP50Ms: at(byHand, 0.5),
    byHandP95Ms: at(byHand, 0.95),
    pokeP50Ms: at(phases.reported, 0.5),
    decidedP50Ms: at(phases.decided, 0.5),
    scaledP50Ms: at(phases.scaled, 0.5),
    startedP50Ms: at(phases.started, 0.5),
    readyP50Ms: at(phases.probed, 0.5),
    firstByteP50Ms: at(phases['first byte'], 0.5),
  };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

function quantile(values: number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
