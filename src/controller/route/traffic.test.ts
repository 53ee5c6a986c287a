// Traffic resolution: every way a target can fail, how groups form, what the status shows.

import { describe, expect, it } from 'vitest';
import type { Condition, KubeObject } from '../../api/objects.ts';
import type { Configuration, Revision, Route, TrafficTarget } from '../../api/serving.ts';
import { ObjectStore } from '../../kube/object-store.ts';
import { statusTraffic } from './status-traffic.ts';
import { type Resolution, resolveTraffic } from './traffic.ts';

type Status = Condition['status'];

const conditions = (status: Status | undefined): Condition[] =>
  status === undefined ? [] : [{ type: 'Ready', status }];

function revision(name: string, ready?: Status, service: string | null = 'svc'): Revision {
  const labels: Record<string, string> = { 'serving.knative.dev/configuration': 'c' };
  if (service !== null) labels['serving.knative.dev/service'] = service;
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Revision',
    metadata: { name, namespace: 'ns', generation: 1, labels },
    spec: { containers: [{ name: 'c', image: 'i' }] },
    status: { observedGeneration: 1, conditions: conditions(ready) },
  };
}

function configuration(name: string, latest?: string, ready?: Status): Configuration {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Configuration',
    metadata: { name, namespace: 'ns' },
    spec: { template: { spec: { containers: [] } } },
    status: {
      conditions: conditions(ready),
      ...(latest === undefined ? {} : { latestReadyRevisionName: latest }),
    },
  };
}

function lister<T extends KubeObject>(objects: readonly T[]): ObjectStore<T> {
  const store = new ObjectStore<T>();
  for (const object of objects) store.set(object);
  return store;
}

const configurations = lister([
  configuration('c', 'c-2', 'Unknown'),
  configuration('waiting'),
  configuration('failed', undefined, 'False'),
  configuration('gone', 'no-such'),
]);
const revisions = lister([
  revision('c-1', 'True'),
  revision('c-2', 'True'),
  revision('c-3'),
  revision('c-4', 'False'),
  revision('theirs', 'True', 'other'),
  revision('alone', 'True', null),
]);

function resolve(...targets: TrafficTarget[]): Resolution {
  const route: Route = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Route',
    metadata: { name: 'r', namespace: 'ns', labels: { 'serving.knative.dev/service': 'svc' } },
    spec: { traffic: targets },
  };
  return resolveTraffic(route, { configurations, revisions });
}

function groups(resolution: Resolution): Record<string, string[]> {
  return Object.fromEntries(
    [...resolution.traffic!.groups].map(([tag, group]) => [
      tag,
      group.map(({ revisionName, percent }) => `${revisionName} ${percent}`),
    ]),
  );
}

describe('CP-275: targets that cannot be served', () => {
  const rows: [string, TrafficTarget[], string][] = [
    [
      'missing Configuration',
      [{ configurationName: 'x' }],
      'False ConfigurationMissing: Configuration "x" referenced in traffic not found.',
    ],
    [
      'missing Revision',
      [{ revisionName: 'x' }],
      'False RevisionMissing: Revision "x" referenced in traffic not found.',
    ],
    [
      'missing latest Revision',
      [{ configurationName: 'gone' }],
      'False RevisionMissing: Revision "no-such" referenced in traffic not found.',
    ],
    [
      'Configuration still waiting',
      [{ configurationName: 'waiting' }],
      'Unknown RevisionMissing: Configuration "waiting" is waiting for a Revision to become ready.',
    ],
    [
      'Configuration that failed',
      [{ configurationName: 'failed' }],
      'False RevisionMissing: Configuration "failed" does not have any ready Revision.',
    ],
    [
      'Revision not ready yet',
      [{ revisionName: 'c-3' }],
      'Unknown RevisionMissing: Revision "c-3" is not yet ready.',
    ],
    [
      'Revision that failed',
      [{ revisionName: 'c-4' }],
      'False RevisionMissing: Revision "c-4" failed to become ready.',
    ],
    [
      'Revision of another Service',
      [{ revisionName: 'theirs' }],
      'False RevisionNotOwned: Revision "theirs" belongs to Service "other", not Service "svc".',
    ],
    [
      'Revision of no Service',
      [{ revisionName: 'alone' }],
      'False RevisionNotOwned: Revision "alone" does not belong to Service "svc".',
    ],
    [
      'the first of two that wait',
      [{ revisionName: 'c-3' }, { configurationName: 'waiting' }],
      'Unknown RevisionMissing: Revision "c-3" is not yet ready.',
    ],
    [
      'a failure overrides one that waits',
      [{ revisionName: 'c-3' }, { revisionName: 'x' }],
      'False RevisionMissing: Revision "x" referenced in traffic not found.',
    ],
  ];

  it.each(rows)('%s', (_name, targets, expected) => {
    const { traffic, problem } = resolve(...targets);
    expect(traffic).toBeNull();
    expect(`${problem?.status} ${problem?.reason}: ${problem?.message}`).toBe(expected);
  });

  it('everything named is watched, also what is missing', () => {
    const { configurationNames, revisionNames } = resolve(
      { configurationName: 'x' },
      { configurationName: 'c' },
      { revisionName: 'y' },
    );
    expect([...configurationNames]).toEqual(['x', 'c']);
    expect([...revisionNames]).toEqual(['c-2', 'y']);
  });
});

describe('CP-280: groups', () => {
  it('the Configuration need not be ready itself, and neither names nothing', () => {
    expect(groups(resolve({ configurationName: 'c', percent: 100 }, {}))).toEqual({
      '': ['c-2 100'],
    });
  });

  it('a tagged entry is in its own group entirely and in the default group with its share', () => {
    const resolution = resolve(
      { configurationName: 'c', percent: 70 },
      { revisionName: 'c-1', percent: 30, tag: 'old' },
      { configurationName: 'c', percent: 0, tag: 'new' },
    );
    expect(groups(resolution)).toEqual({
      '': ['c-2 70', 'c-1 30'],
      new: ['c-2 100'],
      old: ['c-1 100'],
    });
  });

  it('entries for one Revision are merged', () => {
    const resolution = resolve(
      { revisionName: 'c-1', percent: 30 },
      { configurationName: 'c', percent: 40 },
      { revisionName: 'c-1', percent: 30 },
    );
    expect(groups(resolution)).toEqual({ '': ['c-1 60', 'c-2 40'] });
  });
});

describe('CP-281: status.traffic', () => {
  const status = (...targets: TrafficTarget[]): TrafficTarget[] =>
    statusTraffic(resolve(...targets).traffic!, (tag) => `http://${tag}`, {});

  it('has one entry per entry of the spec, with the Revision it came to', () => {
    expect(
      status(
        { configurationName: 'c', percent: 90 },
        { revisionName: 'c-1', percent: 10, tag: 'old' },
      ),
    ).toEqual([
      { revisionName: 'c-2', latestRevision: true, percent: 90 },
      { revisionName: 'c-1', latestRevision: false, percent: 10, tag: 'old', url: 'http://old' },
    ]);
  });

  it('merges entries equal in tag, Revision and latestRevision', () => {
    expect(
      status({ revisionName: 'c-1', percent: 50 }, { revisionName: 'c-1', percent: 50 }),
    ).toEqual([{ revisionName: 'c-1', latestRevision: false, percent: 100 }]);
  });

  it('expands a rolling entry to its Revisions, oldest first', () => {
    const { traffic } = resolve({ configurationName: 'c', percent: 100 });
    const rollout = {
      configurations: [
        {
          configurationName: 'c',
          percent: 100,
          revisions: [
            { revisionName: 'c-1', percent: 99 },
            { revisionName: 'c-2', percent: 1 },
          ],
          stepParams: {},
        },
      ],
    };
    expect(statusTraffic(traffic!, () => '', rollout)).toEqual([
      { revisionName: 'c-1', latestRevision: true, percent: 99 },
      { revisionName: 'c-2', latestRevision: true, percent: 1 },
    ]);
  });
});
