// What a Revision means to the activator (ACT-34, ACT-94) and when it counts as failed.

import { describe, expect, it } from 'vitest';
import type { RevisionSpec } from '../api/serving.ts';
import { readRevisionSettings } from './revision-settings.ts';
import { revision } from './testing/harness.ts';

const settings = (spec: Partial<RevisionSpec>) => readRevisionSettings(revision('hello', spec));
const app = { name: 'user-container', ports: [{ containerPort: 8080 }] };

describe('revision settings', () => {
  it('ACT-34: timeouts in ms, absent ones off', () => {
    expect(
      settings({ timeoutSeconds: 10, idleTimeoutSeconds: 5, containerConcurrency: 7 }),
    ).toMatchObject({
      containerConcurrency: 7,
      timeoutMs: 10_000,
      idleTimeoutMs: 5_000,
      responseStartTimeoutMs: 0,
      protocol: 'http1',
      failure: null,
    });
  });

  it.each<[string, RevisionSpec['containers'], boolean]>([
    ['on by default', [app], true],
    ['off with an exec readiness probe', [{ ...app, readinessProbe: { exec: {} } }], false],
    ['on with an HTTP readiness probe', [{ ...app, readinessProbe: { httpGet: {} } }], true],
    ['off with a startup probe', [{ ...app, startupProbe: { httpGet: {} } }], false],
    [
      'off with a startup probe of a sidecar',
      [app, { name: 'sidecar', startupProbe: { httpGet: {} } }],
      false,
    ],
    [
      'on with an exec readiness probe of a sidecar',
      [app, { name: 'sidecar', readinessProbe: { exec: {} } }],
      true,
    ],
  ])('ACT-94: early readiness is %s', (_name, containers, expected) => {
    expect(settings({ containers }).earlyReady).toBe(expected);
  });

  it('a False ContainerHealthy or ResourcesAvailable is a failure, Unknown is not', () => {
    const failureOf = (type: string, status: 'True' | 'False' | 'Unknown') =>
      readRevisionSettings(revision('hello', {}, [{ type, status, reason: 'R', message: 'why' }]))
        .failure;
    expect(failureOf('ContainerHealthy', 'False')).toBe(
      'revision default/hello cannot start: R: why',
    );
    expect(failureOf('ResourcesAvailable', 'False')).toContain('R: why');
    expect(failureOf('ContainerHealthy', 'Unknown')).toBeNull();
    expect(failureOf('Active', 'False')).toBeNull();
  });
});
