// Which changes a kind's history keeps, and for how long.

import { expect, test } from 'vitest';
import { ChangeHistory } from './change-history.ts';
import type { Change } from './stored.ts';

function change(revision: number): Change {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c-${revision}` } };
  const stored = { key: `\u0000c-${revision}`, object, json: JSON.stringify(object), revision };
  return { type: 'ADDED', revision, stored, previous: null };
}

function filled(count: number, maxChanges?: number): ChangeHistory {
  const history = new ChangeHistory(0, maxChanges);
  for (let revision = 1; revision <= count; revision += 1) history.add(change(revision));
  return history;
}

test('KN-157: changes stay for a whole period, and at most for two', () => {
  const history = filled(1000);
  history.age();
  expect(history.droppedThrough).toBe(0);
  for (let revision = 1001; revision <= 2000; revision += 1) history.add(change(revision));
  history.age();
  expect(history.droppedThrough).toBe(1000);
  expect(history.next(1000)?.revision).toBe(1001);
  history.age();
  expect(history.droppedThrough).toBe(1872);
});

test('KN-157: the last 128 changes of a quiet kind stay however old they are', () => {
  const history = filled(200);
  for (let period = 0; period < 5; period += 1) history.age();
  expect(history.droppedThrough).toBe(72);
  expect(history.next(72)?.revision).toBe(73);
  expect(history.undoTo(72).size).toBe(128);
});

test('what is dropped by count is gone before the array is shortened', () => {
  const history = filled(150, 100);
  expect(history.droppedThrough).toBe(50);
  expect(history.next(50)?.revision).toBe(51);
  const seen: number[] = [];
  history.forEachAfter(140, ({ revision }) => {
    seen.push(revision);
    return true;
  });
  expect(seen).toEqual([141, 142, 143, 144, 145, 146, 147, 148, 149, 150]);
});
