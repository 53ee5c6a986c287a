// The condition rules as one reads them in a status, one row per rule.

import { describe, expect, it } from 'vitest';
import { CONDITION_SETS, ConditionManager } from './conditions.ts';
import type { CommonStatus } from './objects.ts';

const FIRST_MS = Date.UTC(2026, 0, 1);
const LATER_MS = FIRST_MS + 60_000;

/** `type status reason` of every condition. */
function shown(status: CommonStatus): string[] {
  return (status.conditions ?? []).map(({ type, status: value, reason, severity }) =>
    [type, value, reason, severity].filter((part) => part !== undefined).join(' '),
  );
}

function manager(status: CommonStatus, nowMs = FIRST_MS): ConditionManager {
  return new ConditionManager(CONDITION_SETS.Service, status, nowMs);
}

describe('conditions', () => {
  it('CP-42: dependents start Unknown, or True under a Ready that is True', () => {
    const fresh: CommonStatus = {};
    manager(fresh).initialize();
    expect(shown(fresh)).toEqual([
      'ConfigurationsReady Unknown',
      'Ready Unknown',
      'RoutesReady Unknown',
    ]);
    const ready: CommonStatus = { conditions: [{ type: 'Ready', status: 'True' }] };
    manager(ready).initialize();
    expect(shown(ready)).toEqual(['ConfigurationsReady True', 'Ready True', 'RoutesReady True']);
  });

  it('CP-43: Ready becomes True with the last dependent', () => {
    const status: CommonStatus = {};
    const conditions = manager(status);
    conditions.initialize();
    conditions.markTrue('ConfigurationsReady');
    expect(conditions.get('Ready')?.status).toBe('Unknown');
    conditions.markTrue('RoutesReady');
    expect(conditions.get('Ready')?.status).toBe('True');
  });

  it('CP-43: after one recovers, Ready shows the failure that remains', () => {
    const status: CommonStatus = {};
    const conditions = manager(status);
    conditions.initialize();
    conditions.markFalse('RoutesReady', 'Broken', 'b');
    conditions.markTrue('ConfigurationsReady');
    expect(shown(status)).toContain('Ready False Broken');
  });

  it('CP-44: of two failures the last one marked is shown', () => {
    const status: CommonStatus = {};
    const conditions = manager(status);
    conditions.markFalse('ConfigurationsReady', 'First', 'a');
    conditions.markFalse('RoutesReady', 'Second', 'b');
    expect(shown(status)).toContain('Ready False Second');
  });

  it('CP-45: an unknown dependent does not hide a failure', () => {
    const status: CommonStatus = {};
    const conditions = manager(status);
    conditions.markFalse('ConfigurationsReady', 'Failed', 'a');
    conditions.markUnknown('RoutesReady', 'Waiting', 'b');
    expect(shown(status)).toContain('Ready False Failed');
  });

  it('CP-45: without failure Ready follows the one marked Unknown last', () => {
    const status: CommonStatus = {};
    const conditions = manager(status);
    conditions.markUnknown('ConfigurationsReady', 'One');
    conditions.markUnknown('RoutesReady', 'Two');
    expect(shown(status)).toContain('Ready Unknown Two');
  });

  it('CP-41: other conditions are informational and never influence Ready', () => {
    const status: CommonStatus = {};
    const conditions = manager(status);
    conditions.initialize();
    conditions.markTrue('ConfigurationsReady');
    conditions.markTrue('RoutesReady');
    conditions.markFalse('Extra', 'Odd', 'x');
    expect(shown(status)).toEqual([
      'ConfigurationsReady True',
      'Extra False Odd Info',
      'Ready True',
      'RoutesReady True',
    ]);
  });

  it('CP-46: a condition that differs only in time keeps its time', () => {
    const status: CommonStatus = {};
    manager(status).markFalse('RoutesReady', 'Broken', 'b');
    const before = structuredClone(status);
    manager(status, LATER_MS).markFalse('RoutesReady', 'Broken', 'b');
    expect(status).toEqual(before);
    manager(status, LATER_MS).markFalse('RoutesReady', 'Broken', 'c');
    expect(status.conditions?.[0]?.lastTransitionTime).toBe('2026-01-01T00:01:00Z');
  });

  it('CP-41: a kind without dependents is ready when it says so', () => {
    const status: CommonStatus = {};
    const conditions = new ConditionManager(CONDITION_SETS.Configuration, status, FIRST_MS);
    conditions.initialize();
    conditions.markTrue('Ready');
    expect(shown(status)).toEqual(['Ready True']);
    conditions.markUnknown('Ready');
    expect(shown(status)).toEqual(['Ready Unknown']);
  });
});
