// The embedded API's version against what Pilotlight's own processes ask of an API.

import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { DEFAULT_MIN_VERSION, requireVersion } from '../kube/minimum-version.ts';
import type { KubeClient } from '../kube/types.ts';
import { serverVersion } from './version.ts';

const client = {
  request: async () => ({
    status: 200,
    contentType: 'application/json',
    body: Readable.from([Buffer.from(JSON.stringify(serverVersion()))]),
  }),
} as unknown as KubeClient;

test('KN-240, ACT-5: our own processes start with what the embedded API says it is', async () => {
  await requireVersion(client, DEFAULT_MIN_VERSION);
});

test('KN-240: the parts of the version agree', () => {
  const { major, minor, gitVersion } = serverVersion() as Record<string, string>;
  expect(gitVersion).toMatch(new RegExp(`^v${major}\\.${minor}\\.\\d+\\+pilotlight$`));
});
