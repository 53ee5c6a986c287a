// The HTTP/1.1 fuzzer: generated messages and their mutants, each read by our codec and by llhttp.
// A generated message is also cut in two at every byte and fed byte by byte; a mutant byte by byte
// and at a few places. Everything follows from the seed. A run stops at the first violation and gives
// the smallest message that shows it.

import { shown, type Violation } from './findings.ts';
import { type AnswerFindings, answerFindings, judgeAnswer } from './http1-answers.ts';
import type { AskedFor } from './http1-codec.ts';
import { StepLimitError } from './http1-ends.ts';
import { generateAnswer, generateAsked, generateRequests } from './http1-messages.ts';
import { judgeRequests, type RequestFindings, requestFindings } from './http1-requests.ts';
import { minimize } from './minimize.ts';
import { everyByte, Mutator } from './mutate.ts';
import { int, type Random, seededRandom } from './random.ts';

const MUTANTS_PER_MESSAGE = 10;
const CUTS_PER_MUTANT = 2;
/** Answers are fewer than requests: a client can send anything, an application is ours. */
const ANSWER_SHARE = 0.4;

/** One message to judge; `asked` is null for requests. */
export interface Case {
  bytes: Buffer;
  asked: AskedFor | null;
}

export interface FuzzReport {
  cases: number;
  /** Readings by our codec, cut or whole. */
  runs: number;
  requests: RequestFindings;
  answers: AnswerFindings;
  failure: { violation: Violation; found: Case; smallest: Buffer } | null;
}

export interface FuzzOptions {
  seed: number;
  /** Asked before every generated message. */
  mayGoOn(cases: number): boolean;
  /** Told of every case before it is judged. */
  onCase?(subject: Case): void;
}

export function fuzzHttp1(options: FuzzOptions): FuzzReport {
  const random = seededRandom(options.seed);
  const mutators = { requests: new Mutator(random), answers: new Mutator(random) };
  const report: FuzzReport = {
    cases: 0,
    runs: 0,
    requests: requestFindings(),
    answers: answerFindings(),
    failure: null,
  };
  while (report.failure === null && options.mayGoOn(report.cases)) {
    const isAnswer = random() < ANSWER_SHARE;
    const mutator = isAnswer ? mutators.answers : mutators.requests;
    const bytes = isAnswer ? generateAnswer(random) : generateRequests(random);
    const asked = isAnswer ? generateAsked(random) : null;
    mutator.remember(bytes);
    runCase({ bytes, asked }, everyByte(bytes.length), options, report);
    for (let left = MUTANTS_PER_MESSAGE; left > 0 && report.failure === null; left -= 1) {
      const mutant = mutator.mutate(bytes);
      runCase({ bytes: mutant, asked }, someCuts(random, mutant.length), options, report);
    }
  }
  return report;
}

function someCuts(random: Random, length: number): number[] {
  const cuts: number[] = [];
  for (let left = CUTS_PER_MUTANT; left > 0 && length > 1; left -= 1) {
    cuts.push(1 + int(random, length - 1));
  }
  return cuts;
}

function runCase(
  subject: Case,
  cuts: readonly number[],
  options: FuzzOptions,
  report: FuzzReport,
): void {
  options.onCase?.(subject);
  report.cases += 1;
  report.runs += cuts.length + 2;
  const violation = judge(subject, cuts, report);
  if (violation === null) return;
  const smallest = minimize(subject.bytes, (bytes) => {
    options.onCase?.({ bytes, asked: subject.asked });
    const again = judgeEverywhere({ bytes, asked: subject.asked });
    return again?.kind === violation.kind;
  });
  const shownViolation = judgeEverywhere({ bytes: smallest, asked: subject.asked }) ?? violation;
  report.failure = { violation: shownViolation, found: subject, smallest };
}

/** One case with all its cuts; null when nothing is wrong. */
export function judgeEverywhere(subject: Case): Violation | null {
  const findings = { requests: requestFindings(), answers: answerFindings() };
  return judge(subject, everyByte(subject.bytes.length), findings);
}

function judge(
  { bytes, asked }: Case,
  cuts: readonly number[],
  findings: { requests: RequestFindings; answers: AnswerFindings },
): Violation | null {
  try {
    return asked === null
      ? judgeRequests(bytes, cuts, findings.requests)
      : judgeAnswer(bytes, asked, cuts, findings.answers);
  } catch (error) {
    if (error instanceof StepLimitError) return { kind: 'hang', detail: error.message };
    return { kind: 'crash', detail: error instanceof Error ? (error.stack ?? '') : String(error) };
  }
}

/** The failing message as it is printed and kept. */
export function describeCase({ bytes, asked }: Case): string {
  const context = asked === null ? 'requests' : `answer to ${JSON.stringify(asked)}`;
  return `${context}: ${shown(bytes)}`;
}
