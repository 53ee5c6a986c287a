// What `why` and `top` print, from documents as the autoscaler writes them.

import { describe, expect, it } from 'vitest';
import type { DecisionsDocument } from '../api/decisions.ts';
import { explain } from './decisions-text.ts';
import { renderTop } from './top.ts';

const AT_MS = Date.parse('2026-01-01T12:00:30Z');

function document(changes: Partial<DecisionsDocument> = {}): DecisionsDocument {
  return {
    revision: 'default/hello-00001',
    recommendation: 3,
    excessBurstCapacity: -190.5,
    metric: 'concurrency',
    target: 7,
    capacity: 10,
    targetBurstCapacity: 211,
    stableWindowSeconds: 60,
    maxScaleUpRate: 1000,
    maxScaleDownRate: 2,
    activationScale: 0,
    scaleDownDelaySeconds: 0,
    pods: { ready: 3, notReady: 0, pending: 0, terminating: 0 },
    panic: { threshold: 2, since: null, lastOverloadAt: null, floor: 0 },
    applied: { wanted: 3, bound: null, minScale: 0, maxScale: 0, mode: 'Proxy' },
    decisions: [
      {
        firstAt: '2026-01-01T12:00:20.000Z',
        lastAt: '2026-01-01T12:00:28.000Z',
        repeats: 4,
        reason: 'load divided by target',
        stable: 20.123,
        panic: 20.5,
        readyPods: 3,
        recommendation: 3,
        excessBurstCapacity: -190.5,
        panicking: false,
      },
    ],
    ...changes,
  };
}

describe('why', () => {
  it('names load, target, path and the rule that bound each decision', () => {
    const text = explain(document(), AT_MS).join('\n');
    expect(text).toContain('default/hello-00001: wants 3 pods, has 3 ready');
    expect(text).toContain('concurrency: 20.12 over 60 s');
    expect(text).toContain('aims for 7 per pod (of 10 it can take)');
    expect(text).toContain('no panic: it starts when the load is 2 x what is ready');
    expect(text).toContain('(target-burst-capacity 211): requests go through the activator');
    expect(text).toContain('(5 times): 3 pods, by load divided by target');
  });

  it('names a panic, its threshold, since when, and what it holds', () => {
    const panic = {
      threshold: 2,
      since: '2026-01-01T12:00:10.000Z',
      lastOverloadAt: '2026-01-01T12:00:12.000Z',
      floor: 8,
    };
    const text = explain(document({ panic }), AT_MS).join('\n');
    expect(text).toContain('in panic since 2026-01-01T12:00:10.000Z (20 s)');
    expect(text).toContain('at least 2 x what the ready pods aim for');
    expect(text).toContain('it stays at 8 pods or more');
  });

  it.each([
    ['max-scale' as const, 'max-scale of 2 overrides the recommendation of 3'],
    ['min-scale' as const, 'min-scale of 1 overrides the recommendation of 3'],
    ['initial-scale' as const, 'initial-scale overrides the recommendation of 3'],
  ])('AS-127: says when %s decides', (bound, sentence) => {
    const applied = { wanted: 2, bound, minScale: 1, maxScale: 2, mode: 'Serve' as const };
    expect(explain(document({ applied }), AT_MS).join('\n')).toContain(sentence);
  });

  it('says so when nothing is known yet', () => {
    const [headline] = explain(
      document({ recommendation: -1, applied: null, decisions: [] }),
      AT_MS,
    );
    expect(headline).toBe('default/hello-00001: nothing is known yet, has 3 ready');
  });
});

describe('top', () => {
  it('shows one line per revision and how many there are beyond', () => {
    const lines = renderTop(
      [
        {
          revision: 'default/a',
          concurrency: 12.345,
          requestsPerSecond: 3,
          wanted: 2,
          ready: 1,
          notReady: 1,
          mode: 'Serve',
          panicking: true,
        },
      ],
      7,
    );
    expect(lines[1]?.split(/ {2,}/)).toEqual([
      'default/a',
      '12.35',
      '3.00',
      '2',
      '1 (+1)',
      'panic',
      'direct',
    ]);
    expect(lines[2]).toBe('(7 revisions in all)');
  });

  it('says that there is nothing', () => {
    expect(renderTop([], 0)).toEqual(['no revisions']);
  });
});
