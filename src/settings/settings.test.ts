// Flags, variables, defaults and roles.

import { describe, expect, it } from 'vitest';
import { chooseRole } from './role.ts';
import { flag, integer, matching, oneOf, readSettings, SettingsProblems } from './settings.ts';

const table = {
  port: { flag: 'port', env: 'X_PORT', fallback: 8080, parse: integer(0, 65_535) },
  mode: { flag: 'mode', env: null, fallback: 'a', parse: oneOf('a', 'b') },
  loud: { flag: 'loud', env: 'X_LOUD', fallback: false, parse: flag },
  files: {
    flag: 'file',
    env: null,
    fallback: [] as string[],
    parse: (text: string) => [text],
    repeatable: true,
  },
  name: { flag: 'name', env: null, fallback: 'n', parse: matching(/^[a-z]+$/, 'lower case') },
} as const;

describe('readSettings', () => {
  it('takes the flag over the variable over the default', () => {
    const read = (flags: Record<string, string>, env: Record<string, string>) =>
      readSettings(table, { flags, env }).port;
    expect(read({ port: '1' }, { X_PORT: '2' })).toBe(1);
    expect(read({}, { X_PORT: '2' })).toBe(2);
    expect(read({}, { X_PORT: '' })).toBe(8080);
  });

  it('collects repeated flags in order', () => {
    expect(readSettings(table, { flags: { file: ['a', 'b'] }, env: {} }).files).toEqual(['a', 'b']);
  });

  it('reports every problem at once, with the name and the text', () => {
    const read = () =>
      readSettings(table, {
        flags: { port: '70000', mode: 'c', name: 'X' },
        env: { X_LOUD: 'maybe' },
      });
    expect(read).toThrow(SettingsProblems);
    expect(read).toThrow(
      [
        '--port must be a whole number from 0 to 65535, not "70000"',
        '--mode must be one of a, b, not "c"',
        'X_LOUD must be true or false, not "maybe"',
        '--name must be lower case, not "X"',
      ].join('\n'),
    );
  });

  it('gives a frozen value', () => {
    expect(Object.isFrozen(readSettings(table, { flags: {}, env: {} }))).toBe(true);
  });
});

describe('chooseRole', () => {
  const sidecar = { QUEUE_SERVING_PORT: '8012', SERVING_POD: 'p' };
  it.each([
    ['the first argument', ['queueproxy'], {}, { kind: 'role', role: 'queueproxy', args: [] }],
    ['--role', ['--role', 'queueproxy'], {}, { kind: 'role', role: 'queueproxy', args: [] }],
    ['--role=', ['--role=queueproxy', 'x'], {}, { kind: 'role', role: 'queueproxy', args: ['x'] }],
    [
      'PILOTLIGHT_ROLE',
      [],
      { PILOTLIGHT_ROLE: 'queueproxy' },
      { kind: 'role', role: 'queueproxy' },
    ],
    ["Knative's sidecar variables", [], sidecar, { kind: 'role', role: 'queueproxy' }],
    ['a command', ['get', 'ksvc'], sidecar, { kind: 'command', args: ['get', 'ksvc'] }],
    [
      'standalone as up',
      ['standalone', '--port', '1'],
      {},
      { kind: 'command', args: ['up', '--port', '1'] },
    ],
    ['a part of up', ['gateway'], {}, { kind: 'embedded', role: 'gateway' }],
    ['an unknown role', ['--role', 'x'], {}, { kind: 'unknown', role: 'x' }],
    ['nothing at all', [], {}, { kind: 'command', args: [] }],
  ])('understands %s', (_name, args, env, expected) => {
    expect(chooseRole(args, env)).toMatchObject(expected);
  });
});
