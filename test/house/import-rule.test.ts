// The import rule is only worth something if it really reads the sources: seeded violations must be
// found, and the sources themselves must be clean.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

interface Report {
  summary: { totalCruised: number; violations: { rule: { name: string } }[] };
}

function cruise(folder: string): Report {
  const result = spawnSync(
    join(root, 'node_modules', '.bin', 'depcruise'),
    ['src', '--config', join(root, '.dependency-cruiser.cjs'), '-T', 'json'],
    { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  return JSON.parse(result.stdout) as Report;
}

describe('the import rule', () => {
  it('finds a role importing another role, and an upward import of a leaf', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pilotlight-imports-'));
    const files: Record<string, string> = {
      'tsconfig.json': '{"compilerOptions":{"module":"NodeNext","moduleResolution":"NodeNext"}}',
      'package.json': '{"type":"module"}',
      'src/activator/b.ts': 'export const b = 1;',
      'src/queueproxy/a.ts': "import { b } from '../activator/b.ts';\nexport const a = b;",
      'src/clock/c.ts': "import type { K } from '../kube/k.ts';\nexport type C = K;",
      'src/kube/k.ts': 'export type K = number;',
    };
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const names = cruise(folder).summary.violations.map((violation) => violation.rule.name);
    rmSync(folder, { recursive: true, force: true });
    expect(names).toContain('role-queueproxy-imports-no-other-role');
    expect(names).toContain('leaves-import-only-leaves');
  });

  it('holds in the sources, all of which were read', () => {
    const { summary } = cruise(root);
    expect(summary.totalCruised).toBeGreaterThan(50);
    expect(summary.violations.map((violation) => JSON.stringify(violation))).toEqual([]);
  });
});
