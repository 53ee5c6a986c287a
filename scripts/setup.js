// Makes a checkout runnable with Node built-ins only: installs dependencies when node_modules is
// missing or older than the lock file, and builds when dist/ is missing or older than any source.
// Called by `npm start`, `npm test` and `npm run bench`, so none of them needs a step before it.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const quiet = process.argv.includes('--quiet');

function run(command, args) {
  if (!quiet) console.log(`> ${command} ${args.join(' ')}`);
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'],
  });
  if (result.status !== 0) {
    console.error(
      `${command} ${args.join(' ')} failed (${result.error?.message ?? `exit code ${result.status}`})`,
    );
    process.exit(result.status ?? 1);
  }
}

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newestSourceMs(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSourceMs(path));
    else if (!entry.name.endsWith('.test.ts')) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 20)) {
  console.error(`Pilotlight needs Node 20.20 or newer; this is ${process.version}.`);
  process.exit(1);
}

const installedMs = modifiedMs(join(root, 'node_modules', '.package-lock.json'));
if (installedMs === 0 || installedMs < modifiedMs(join(root, 'package-lock.json')) - 1) {
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

const stamp = join(root, 'dist', '.built');
const sourcesMs = Math.max(
  newestSourceMs(join(root, 'src')),
  newestSourceMs(join(root, 'bench')),
  modifiedMs(join(root, 'tsconfig.json')),
  ...['build', 'bundle', 'code-cache', 'sidecar-loader'].map((name) =>
    modifiedMs(join(root, 'scripts', `${name}.js`)),
  ),
  modifiedMs(join(root, 'node_modules', '.package-lock.json')),
);
if (modifiedMs(stamp) < sourcesMs) run(process.execPath, [join(root, 'scripts', 'build.js')]);
