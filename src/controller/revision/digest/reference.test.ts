// Image names and pull secrets as registries and kubelets read them.

import { describe, expect, it } from 'vitest';
import type { Secret } from '../../../api/core.ts';
import { credentialsIn } from './credentials.ts';
import { mayBePlain, parseImageReference } from './reference.ts';

const SHA = `sha256:${'a'.repeat(64)}`;

describe('CP-164: image references', () => {
  it.each([
    ['hello', 'index.docker.io', 'library/hello', 'latest', null],
    ['team/hello:v1', 'index.docker.io', 'team/hello', 'v1', null],
    ['docker.io/hello', 'index.docker.io', 'library/hello', 'latest', null],
    ['ghcr.io/a/b/c:v1.2-x', 'ghcr.io', 'a/b/c', 'v1.2-x', null],
    ['localhost/x/y', 'localhost', 'x/y', 'latest', null],
    ['host:5000/app', 'host:5000', 'app', 'latest', null],
    [`ghcr.io/a/b@${SHA}`, 'ghcr.io', 'a/b', 'latest', SHA],
    [`ghcr.io/a/b:v1@${SHA}`, 'ghcr.io', 'a/b', 'v1', SHA],
  ])('%s', (image, registry, repository, tag, digest) => {
    expect(parseImageReference(image)).toEqual({ registry, repository, tag, digest });
  });

  it.each(['', 'UPPER/case', 'a b', 'x:', 'app@sha256:12', 'ghcr.io/'])('%j is none', (image) => {
    expect(() => parseImageReference(image)).toThrow(`could not parse reference: ${image}`);
  });

  it.each([
    ['localhost:5000', true],
    ['registry.local', true],
    ['10.0.0.1:80', true],
    ['172.20.0.1', true],
    ['172.32.0.1', false],
    ['ghcr.io', false],
  ])('plain HTTP may be tried at %s: %s', (registry, expected) => {
    expect(mayBePlain(registry)).toBe(expected);
  });
});

describe('CP-165: pull secrets', () => {
  const secret = (key: string, value: unknown): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    data: { [key]: Buffer.from(JSON.stringify(value)).toString('base64') },
  });
  const auth = (text: string): string => Buffer.from(text).toString('base64');
  const find = (given: Secret, image: string): string | undefined =>
    credentialsIn(given, parseImageReference(image))?.username;

  it('the entry with the longest path wins; other hosts and paths are not used', () => {
    const given = secret('.dockerconfigjson', {
      auths: {
        'ghcr.io': { username: 'all', password: 'p' },
        'https://ghcr.io/team': { auth: auth('team:p:q') },
        '*.corp.example': { username: 'corp', password: 'p' },
      },
    });
    expect(find(given, 'ghcr.io/other/app')).toBe('all');
    expect(find(given, 'ghcr.io/team/app')).toBe('team');
    expect(find(given, 'ghcr.io/teamwork/app')).toBe('all');
    expect(find(given, 'eu.corp.example/app')).toBe('corp');
    expect(find(given, 'quay.io/app')).toBeUndefined();
    const team = credentialsIn(given, parseImageReference('ghcr.io/team/app'));
    expect(team?.password).toBe('p:q');
  });

  it('Docker Hub is found by its old address, and in the old format', () => {
    const given = secret('.dockercfg', {
      'https://index.docker.io/v1/': { username: 'hub', password: 'p' },
    });
    expect(find(given, 'hello')).toBe('hub');
  });

  it('what is not JSON holds nothing', () => {
    const broken = secret('.dockerconfigjson', null);
    broken.data = { '.dockerconfigjson': 'e3t7' };
    expect(find(broken, 'hello')).toBeUndefined();
  });
});
