// What gets executed for a container, and where.

import { describe, expect, it } from 'vitest';
import { imageBaseName, parseImage, splitWords } from '../settings/image-map.ts';
import { findExecutable, resolveArgv, resolveWorkingDir } from './command.ts';

describe('image map', () => {
  it.each([
    ['hello', 'hello'],
    ['ghcr.io/acme/hello:v1', 'hello'],
    ['localhost:5000/hello', 'hello'],
    ['acme/hello@sha256:abc', 'hello'],
    ['acme/hello:v1@sha256:abc', 'hello'],
  ])('%s is matched as %s', (image, name) => {
    expect(imageBaseName(image)).toBe(name);
  });

  it('splits a mapping into words, keeping quoted blanks', () => {
    expect(parseImage('acme/hello:v2=node "my server.js" --x=\'a b\'')).toEqual({
      name: 'hello',
      argv: ['node', 'my server.js', '--x=a b'],
    });
    expect(splitWords('  a  b ')).toEqual(['a', 'b']);
  });

  it.each(['hello', '=node x', 'hello='])('refuses "%s" with an example', (text) => {
    expect(() => parseImage(text)).toThrow(/name=command, for example/);
  });
});

describe('resolveArgv', () => {
  const images = { hello: ['node', 'server.js'] };

  it('RC-80: runs the command as given, with args', () => {
    const container = { name: 'c', image: 'hello', command: ['./run'], args: ['-v'] };
    expect(resolveArgv(container, images)).toEqual({ ok: true, value: ['./run', '-v'] });
  });

  it('falls back to the image map and appends args', () => {
    const container = { name: 'c', image: 'ghcr.io/acme/hello:v1', args: ['-v'] };
    expect(resolveArgv(container, images)).toEqual({
      ok: true,
      value: ['node', 'server.js', '-v'],
    });
  });

  it('says how to map an image it does not know', () => {
    const answer = resolveArgv({ name: 'c', image: 'acme/other:1' }, images);
    expect(answer).toMatchObject({ ok: false, reason: 'ErrImagePull' });
    expect(answer).toHaveProperty('message', expect.stringContaining('--image other='));
  });
});

describe('findExecutable', () => {
  const files = new Set(['/usr/bin/node', '/work/run', '/opt/x/node']);
  const isExecutable = (path: string) => files.has(path);

  it.each([
    ['node', '/usr/bin/node'],
    ['./run', '/work/run'],
    ['/opt/x/node', '/opt/x/node'],
  ])('finds %s at %s', (command, path) => {
    expect(findExecutable(command, '/work', '/bin:/usr/bin', isExecutable)).toEqual({
      ok: true,
      value: path,
    });
  });

  it.each([
    ['nosuch', 'in PATH'],
    ['./nosuch', 'in /work'],
  ])('names %s as missing %s', (command, where) => {
    const answer = findExecutable(command, '/work', '/bin', isExecutable);
    expect(answer).toMatchObject({ ok: false, reason: 'CreateContainerError' });
    expect(answer).toHaveProperty('message', expect.stringContaining(where));
  });
});

describe('resolveWorkingDir', () => {
  const folders = new Set(['/srv/app', '/yaml', '/yaml/app']);
  const isDirectory = (path: string) => folders.has(path);

  it.each([
    ['an absolute workingDir that exists', '/srv/app', '/yaml', '/srv/app', false],
    ['an absolute one that exists under the source folder', '/app', '/yaml', '/yaml/app', false],
    ['a relative one under the source folder', 'app', '/yaml', '/yaml/app', false],
    ['none: the source folder', undefined, '/yaml', '/yaml', false],
    ['none and no source folder', undefined, undefined, '/start', false],
    ['one that exists nowhere', '/gone', '/yaml', '/start', true],
  ])('%s', (_name, workingDir, sourceDir, cwd, usedFallback) => {
    expect(resolveWorkingDir(workingDir, sourceDir, '/start', isDirectory)).toEqual({
      cwd,
      usedFallback,
    });
  });
});
