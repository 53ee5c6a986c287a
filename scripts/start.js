// `npm start`: standalone mode with the quick-start example, keeping its data in this checkout.
// Further arguments are passed on: `npm start -- --port 9000`.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const given = process.argv.slice(2);
const has = (flag) => given.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
const args = [join(root, 'dist', 'main.js'), 'up', '-f', join(root, 'examples', 'quickstart')];
if (!has('--data-dir') && !has('--name') && !has('--ephemeral')) {
  args.push('--data-dir', join(root, '.pilotlight'));
}

const child = spawn(process.execPath, [...args, ...given], { stdio: 'inherit' });
// Ctrl-C reaches both of us; the child decides when it is over.
process.on('SIGINT', () => undefined);
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 0) : 1));
