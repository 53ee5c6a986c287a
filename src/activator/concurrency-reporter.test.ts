// What the autoscaler is told, against the vectors of ACT-134. Not reproduced: a report falling
// between the creation of an entry and its first arrival, which cannot happen in one thread.

import { describe, expect, it } from 'vitest';
import { FakeClock } from '../clock/fake-clock.ts';
import {
  ConcurrencyReporter,
  type ReportEntry,
  type ReportSubject,
} from './concurrency-reporter.ts';
import { FakeSink } from './testing/harness.ts';

class Subject implements ReportSubject {
  readonly namespace = 'default';
  readonly name: string;
  reportEntry: ReportEntry | null = null;
  pokesSent = 0;

  constructor(name: string) {
    this.name = name;
  }

  onPokeSent(): void {
    this.pokesSent += 1;
  }
}

/** `S1`, `E1`, `T` at a time in ms: start and end of request 1, tick. */
function play(operations: string): string[] {
  const clock = new FakeClock();
  const sink = new FakeSink();
  const reporter = new ConcurrencyReporter('activator-0', sink, clock);
  const subjects = new Map<string, Subject>();
  const running = new Map<string, ReportEntry>();
  for (const operation of operations.split(' ')) {
    const [what = '', at = '0'] = operation.split('@');
    clock.advance(Number(at) - clock.monotonicMs());
    const [kind, request = '', revision = 'a'] = [what[0], ...what.slice(1).split('/')];
    if (kind === 'T') {
      reporter.report();
    } else if (kind === 'S') {
      const subject = subjects.get(revision) ?? new Subject(revision);
      subjects.set(revision, subject);
      running.set(request, reporter.arrive(subject, clock.monotonicMs()));
    } else {
      reporter.depart(running.get(request) as ReportEntry, clock.monotonicMs());
    }
  }
  return sink.summary;
}

describe('concurrency reports', () => {
  it.each<[string, string, string[]]>([
    ['two revisions', 'S1/a@0 S2/b@0', ['a(1,1)', 'b(1,1)']],
    ['two in a row', 'S1@0 E1@1 S2@1 E2@2 T@2', ['a(1,1)', 'a(0,1)']],
    ['two at once', 'S1@0 S2@0 T@1 T@2', ['a(1,1)', 'a(1,1)', 'a(2,0)']],
    ['idle, forgotten, back', 'S1@0 E1@1 T@1 T@2 S2@3', ['a(1,1)', 'a(0,0)', 'a(0,0)', 'a(1,1)']],
    [
      'a report at the instant of the arrivals',
      'S1/a@0 S2/b@0 S3/c@0 T@0',
      ['a(1,1)', 'b(1,1)', 'c(1,1)', 'a(0,0) b(0,0) c(0,0)'],
    ],
    ['overlapping', 'S1@0 S2@0 E2@1 E1@2 T@2', ['a(1,1)', 'a(0.5,1)']],
    ['three at once', 'S1@0 S2@0 S3@0 T@1', ['a(1,1)', 'a(2,2)']],
    ['four, twice', 'S1@0 S2@0 S3@0 S4@0 T@1 T@2', ['a(1,1)', 'a(3,3)', 'a(4,0)']],
    ['nothing tracked, nothing sent', 'T@1 T@2', []],
  ])('ACT-134: %s', (_name, operations, expected) => {
    expect(play(operations)).toEqual(expected);
  });

  it('ACT-125: a started reporter reports every second', () => {
    const clock = new FakeClock();
    const sink = new FakeSink();
    const reporter = new ConcurrencyReporter('activator-0', sink, clock);
    reporter.start();
    reporter.arrive(new Subject('a'), clock.monotonicMs());
    clock.advance(3_500);
    expect(sink.summary).toEqual(['a(1,1)', 'a(0,0)', 'a(1,0)', 'a(1,0)']);
    reporter.stop();
    clock.advance(5_000);
    expect(sink.batches.length).toBe(4);
  });

  it('ACT-131: a request that outlives a report ends on the entry it came by', () => {
    const clock = new FakeClock();
    const reporter = new ConcurrencyReporter('activator-0', new FakeSink(), clock);
    const subject = new Subject('a');
    const entry = reporter.arrive(subject, 0);
    reporter.report();
    expect(subject.reportEntry).toBe(entry);
    reporter.depart(entry, 0);
    clock.advance(1_000);
    reporter.report();
    expect(subject.reportEntry).toBeNull();
    expect(reporter.trackedCount).toBe(0);
  });

  it('a first signal that found no connection is sent again after the reconnect', () => {
    const clock = new FakeClock();
    const sink = new FakeSink();
    sink.isConnected = false;
    const reporter = new ConcurrencyReporter('activator-0', sink, clock);
    const [waits, left] = [new Subject('a'), new Subject('b')];
    reporter.arrive(waits, 0);
    reporter.depart(reporter.arrive(left, 0), 0);
    expect([waits.pokesSent, sink.hurried]).toEqual([0, 2]);
    sink.isConnected = true;
    reporter.resendPokes();
    expect(sink.summary).toEqual(['a(1,1)']);
    expect(waits.pokesSent).toBe(1);
  });

  it('ACT-128: whoever is inside at a reconnect is announced again and subtracted once', () => {
    const clock = new FakeClock();
    const sink = new FakeSink();
    const reporter = new ConcurrencyReporter('activator-0', sink, clock);
    const seen: [string, number][] = [];
    reporter.onReport = ({ name }, average) => seen.push([name, average]);
    reporter.arrive(new Subject('a'), 0);
    clock.advance(1_000);
    reporter.report();
    reporter.resendPokes();
    clock.advance(1_000);
    reporter.report();
    reporter.report();
    expect(sink.summary.slice(1)).toEqual(['a(0,0)', 'a(1,1)', 'a(0,-1)', 'a(0,0)']);
    expect(seen).toEqual([
      ['a', 0],
      ['a', 0],
      ['a', 0],
    ]);
  });

  it('ACT-132: only pod name, average and count are filled', () => {
    const sink = new FakeSink();
    const reporter = new ConcurrencyReporter('activator-0', sink, new FakeClock());
    reporter.arrive(new Subject('a'), 0);
    expect(sink.batches[0]).toEqual([
      {
        namespace: 'default',
        name: 'a',
        stat: {
          podName: 'activator-0',
          averageConcurrentRequests: 1,
          averageProxiedConcurrentRequests: 0,
          requestCount: 1,
          proxiedRequestCount: 0,
          processUptime: 0,
          timestamp: 0,
        },
      },
    ]);
  });
});
