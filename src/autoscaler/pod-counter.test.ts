import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.ts';
import { countPods, revisionKeyOf } from './pod-counter.ts';

function pod(phase: string, isReady: boolean, isLeaving = false): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'default',
      name: 'p',
      ...(isLeaving ? { deletionTimestamp: '2026-11-21T00:00:00Z' } : {}),
    },
    status: { phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  } as Pod;
}

describe('counting pods', () => {
  it.each<[string, Pod, object]>([
    ['Pending', pod('Pending', false), { pending: 1, notReady: 1 }],
    ['Pending and leaving', pod('Pending', false, true), { pending: 1, notReady: 1 }],
    ['Running and leaving', pod('Running', true, true), { terminating: 1, notReady: 1 }],
    ['Running and Ready', pod('Running', true), { ready: 1 }],
    ['Running', pod('Running', false), { notReady: 1 }],
    ['Succeeded', pod('Succeeded', false), {}],
    ['Failed', pod('Failed', true), {}],
  ])('AS-78: %s', (_name, given, expected) => {
    const none = { ready: 0, notReady: 0, pending: 0, terminating: 0 };
    expect(countPods([given])).toEqual({ ...none, ...expected });
  });

  it('AS-78: a pod without the label revisionUID is nobody’s', () => {
    const labels = { 'serving.knative.dev/revision': 'r' };
    const metadata = { namespace: 'default', name: 'p', labels };
    expect(revisionKeyOf({ ...pod('Running', true), metadata })).toBeUndefined();
    const own = { ...labels, 'serving.knative.dev/revisionUID': 'u' };
    const marked = { ...pod('Running', true), metadata: { ...metadata, labels: own } };
    expect(revisionKeyOf(marked)).toBe('default/r');
  });
});
