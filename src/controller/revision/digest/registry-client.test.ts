// What is asked of a registry, over real connections, and what its answers become.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../clock/clock.ts';
import type { RegistryCredentials } from './credentials.ts';
import { createRegistrySender } from './http.ts';
import { parseImageReference } from './reference.ts';
import { RegistryClient } from './registry-client.ts';
import { TestRegistry } from './testing/registry.ts';

const LONG_MS = 30_000;
let registry: TestRegistry;
let client: RegistryClient;

beforeEach(async () => {
  registry = new TestRegistry();
  await registry.start();
  const send = createRegistrySender(systemClock);
  client = new RegistryClient({ send, clock: systemClock, userAgent: 'test' });
});
afterEach(() => registry.stop());

function resolve(
  credentials: RegistryCredentials | null = null,
  timeoutMs = LONG_MS,
  name = 'team/app:v1',
): Promise<string> {
  const reference = parseImageReference(`${registry.host}/${name}`);
  return client.resolve(reference, credentials, timeoutMs);
}

const user: RegistryCredentials = { username: 'bob', password: 'secret', identityToken: '' };

describe('CP-164: the digest of a tag', () => {
  it('is asked for with one HEAD', async () => {
    const digest = registry.push('team/app', 'v1');
    expect(await resolve()).toBe(`${registry.host}/team/app@${digest}`);
    expect(registry.requests).toEqual(['HEAD /v2/team/app/manifests/v1']);
  });

  it.each([
    ['refuses HEAD', { refusesHead: true }],
    ['tells no digest', { hidesDigest: true }],
    ['does both', { refusesHead: true, hidesDigest: true }],
  ])('of a registry that %s comes from GET', async (_name, rules) => {
    registry.rules = rules;
    const digest = registry.push('team/app', 'v1');
    expect(await resolve()).toBe(`${registry.host}/team/app@${digest}`);
    expect(registry.requests.at(-1)).toBe('GET /v2/team/app/manifests/v1');
  });
});

describe('CP-165: credentials', () => {
  beforeEach(() => {
    registry.push('team/app', 'v1');
  });

  it('a password is sent where the registry asks for one', async () => {
    registry.rules = { access: 'basic', credentials: 'bob:secret' };
    expect(await resolve(user)).toContain('@sha256:');
    await expect(resolve({ ...user, password: 'wrong' })).rejects.toThrow(
      `HEAD http://${registry.host}/v2/team/app/manifests/v1: unexpected status code 401 ` +
        'Unauthorized (HEAD responses have no body, use GET for details)',
    );
  });

  it('is traded for a token of the right scope where the registry wants one', async () => {
    registry.rules = { access: 'bearer', credentials: 'bob:secret' };
    expect(await resolve(user)).toContain('@sha256:');
    expect(Object.fromEntries(registry.tokenQueries[0]!)).toEqual({
      scope: 'repository:team/app:pull',
      service: 'test registry',
    });
  });

  it('a token is given to anybody for what is public', async () => {
    registry.rules = { access: 'bearer' };
    expect(await resolve()).toContain('@sha256:');
  });

  it('no token: the answer of the token server is the cause', async () => {
    registry.rules = { access: 'bearer', credentials: 'bob:secret' };
    await expect(resolve()).rejects.toThrow(/\/token\?.*: unexpected status code 401 .*DENIED/);
  });
});

describe('what can go wrong', () => {
  it('CP-166: a tag nobody pushed', async () => {
    await expect(resolve()).rejects.toThrow(
      `HEAD http://${registry.host}/v2/team/app/manifests/v1: unexpected status code 404 Not Found ` +
        '(HEAD responses have no body, use GET for details)',
    );
  });

  it('CP-165: a registry that never answers costs the timeout', async () => {
    registry.rules = { isSilent: true };
    await expect(resolve(null, 300)).rejects.toThrow('no answer in time');
  });

  it('nobody listens', async () => {
    const { host } = registry;
    await registry.stop();
    const reference = parseImageReference(`${host}/team/app`);
    await expect(client.resolve(reference, null, LONG_MS)).rejects.toThrow('ECONNREFUSED');
    await registry.start();
  });
});
