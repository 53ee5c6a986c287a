// The table of verdicts on a dependent.

import { describe, expect, test } from 'vitest';
import type { OwnerReference } from '../../api/objects.ts';
import { judgeDependent, type OwnerState } from './verdict.ts';

const reference = (uid: string): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: uid,
  uid,
});

describe('KN-203: verdict on a dependent', () => {
  const rows: { states: OwnerState[]; hasDependents?: boolean; expected: string }[] = [
    { states: [], expected: 'keep' },
    { states: ['living'], expected: 'keep' },
    { states: ['living', 'living'], expected: 'keep' },
    { states: ['gone'], expected: 'delete Background' },
    { states: ['gone', 'gone'], expected: 'delete Background' },
    { states: ['living', 'gone'], expected: 'relink 0' },
    { states: ['gone', 'living', 'leaving'], expected: 'relink 1' },
    { states: ['leaving'], expected: 'delete Background' },
    { states: ['leaving'], hasDependents: true, expected: 'delete Foreground' },
    { states: ['gone'], hasDependents: true, expected: 'delete Background' },
    { states: ['gone', 'leaving'], hasDependents: true, expected: 'delete Foreground' },
  ];
  for (const { states, hasDependents = false, expected } of rows) {
    test(`owners ${states.join(', ') || 'none'}${hasDependents ? ', with dependents' : ''}`, () => {
      const references = states.map((_, index) => reference(String(index)));
      const verdict = judgeDependent(references, states, hasDependents);
      const detail =
        verdict.action === 'delete'
          ? ` ${verdict.propagationPolicy}`
          : verdict.action === 'relink'
            ? ` ${verdict.ownerReferences.map(({ uid }) => uid).join(' ')}`
            : '';
      expect(verdict.action + detail).toBe(expected);
    });
  }
});
