// Compiles src/ to dist/ and bench/ to dist-bench/, then bundles the sidecar in both. Every worker
// thread and child process runs from there, because Node 20 runs no TypeScript.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleSidecar } from './bundle.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

for (const [project, output] of [
  ['tsconfig.build.json', 'dist'],
  ['tsconfig.bench.json', 'dist-bench'],
]) {
  rmSync(join(root, output), { recursive: true, force: true });
  const result = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
for (const folder of ['dist', 'dist-bench/src']) await bundleSidecar(join(root, folder));
writeFileSync(join(root, 'dist', '.built'), `${new Date().toISOString()}\n`);
