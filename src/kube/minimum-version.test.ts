// Which API servers are too old, by what they say of themselves.

import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseVersion, requireVersion } from './minimum-version.ts';
import type { KubeClient } from './types.ts';

const saying = (gitVersion: string): KubeClient =>
  ({
    request: async () => ({
      status: 200,
      contentType: 'application/json',
      body: Readable.from([Buffer.from(JSON.stringify({ gitVersion }))]),
    }),
  }) as unknown as KubeClient;

describe('the oldest Kubernetes', () => {
  it.each([
    ['v1.34.0', 'v1.34.0'],
    ['v1.34.2-gke.100', 'v1.34.0'],
    ['v1.40.0', 'v1.34'],
    ['v1.34.0-rc.1', 'v1.34.0'],
    ['v2.0.0', 'v1.34.5'],
  ])('ACT-5: %s is new enough for %s', async (version, minimum) => {
    await requireVersion(saying(version), minimum);
  });

  it.each([
    ['v1.33.9', 'v1.34.0'],
    ['v1.34.0', 'v1.34.1'],
    ['v0.99.0', 'v1.0.0'],
    ['unknown', 'v1.0.0'],
  ])('ACT-5: %s is refused where %s is needed', async (version, minimum) => {
    await expect(requireVersion(saying(version), minimum)).rejects.toThrow(
      `kubernetes version "${version}" is not compatible, need at least "${minimum}"`,
    );
  });

  it('knows what is no version', () => {
    expect(parseVersion('soon')).toBeNull();
    expect(parseVersion('1.34')).toEqual([1, 34, 0]);
  });
});
