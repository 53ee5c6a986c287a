// The commands as people meet them: help, mistakes, exit codes, where things are kept.

import { describe, expect, it } from 'vitest';
import { runCommand } from './program.ts';
import { dataDirOf } from './run-folder.ts';
import { renderTable } from './table.ts';

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(args, {
    env: { XDG_STATE_HOME: '/nowhere' },
    print: (line) => out.push(line),
    printError: (line) => err.push(line),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('commands', () => {
  it('say every problem of `up` at once and exit with 2', async () => {
    const { code, err } = await run('up', '--port', 'x', '--image', 'a', '--http-engine', 'ngx');
    expect(code).toBe(2);
    expect(err.split('\n')).toEqual([
      'error: --port must be a whole number from 0 to 65535, not "x"',
      'error: --image must be name=command, for example hello="node server.js", not "a"',
      expect.stringMatching(/^error: --http-engine must be .*net.*uws/),
    ]);
  });

  it('name the missing kubeconfig and what to do', async () => {
    const { code, err } = await run('get', 'ksvc');
    expect(code).toBe(1);
    expect(err).toContain('/nowhere/pilotlight/default/kubeconfig');
    expect(err).toContain('pilotlight up');
  });

  it.each([
    ['a kind that does not exist', ['get', 'nosuch']],
    ['a file that does not exist', ['apply', '-f', '/nosuch.yaml']],
    ['a delete without names', ['delete', 'ksvc']],
  ])('refuse %s with 2', async (_name, args) => {
    expect((await run(...args)).code).toBe(2);
  });
});

describe('data directory', () => {
  it.each([
    ['given', { dataDir: '/x' }, {}, '/x'],
    ['from XDG_STATE_HOME', {}, { XDG_STATE_HOME: '/s' }, '/s/pilotlight/default'],
    ['by name', { name: 'two' }, { XDG_STATE_HOME: '/s' }, '/s/pilotlight/two'],
  ])('is %s', (_name, options, env, expected) => {
    expect(dataDirOf(options, env)).toBe(expected);
  });

  it('ignores a relative XDG_STATE_HOME, as the standard says', () => {
    expect(dataDirOf({}, { XDG_STATE_HOME: 'rel' })).toMatch(
      /\/\.local\/state\/pilotlight\/default$/,
    );
  });
});

describe('renderTable', () => {
  const table = {
    columnDefinitions: [{ name: 'Name' }, { name: 'Ready' }, { name: 'IP', priority: 1 }],
    rows: [
      { cells: ['hello', 'True', '127.1.2.3'], object: { metadata: { namespace: 'a' } } },
      { cells: ['b', null, ''], object: { metadata: { namespace: 'bb' } } },
    ],
  };

  it('aligns columns and leaves wide ones out', () => {
    expect(renderTable(table, { wide: false, withNamespace: false })).toEqual([
      'NAME    READY',
      'hello   True',
      'b',
    ]);
  });

  it('shows wide columns and namespaces on request', () => {
    expect(renderTable(table, { wide: true, withNamespace: true })).toEqual([
      'NAMESPACE   NAME    READY   IP',
      'a           hello   True    127.1.2.3',
      'bb          b',
    ]);
  });
});
