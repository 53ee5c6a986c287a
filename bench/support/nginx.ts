// nginx as the bench's yardstick: one worker, upstream keep-alive, X-Forwarded-For, no access log,
// stock buffers. Installed with apt where that is possible, skipped with a word where it is not.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, PROXY_CORE, spawnPinned, untilListening } from './processes.ts';
import type { Target } from './proxies.ts';

/** True when nginx is there, installing it if this is root on a Debian; else says why not. */
export function ensureNginx(
  say: (line: string) => void,
  options: { mayInstall: boolean },
): boolean {
  if (spawnSync('nginx', ['-v']).status === 0) return true;
  const canInstall =
    options.mayInstall &&
    process.getuid?.() === 0 &&
    spawnSync('apt-get', ['--version']).status === 0;
  if (!canInstall) {
    say('nginx is not installed and cannot be installed here: its rows are skipped');
    return false;
  }
  say('installing nginx');
  const install = () => spawnSync('apt-get', ['install', '-y', '-q', 'nginx-light']).status === 0;
  if (install()) return true;
  spawnSync('apt-get', ['update', '-q']);
  if (install()) return true;
  say('nginx could not be installed: its rows are skipped');
  return false;
}

export async function nginxTarget(appPort: number): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'));
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, nginxConfig(folder, port, appPort));
  const child = spawnPinned(
    'nginx',
    ['-c', config, '-p', folder, '-e', join(folder, 'error.log')],
    {
      core: PROXY_CORE,
    },
  );
  await untilListening(port);
  return {
    name: 'nginx',
    engine: 'nginx',
    containerConcurrency: 0,
    host: '127.0.0.1',
    port,
    pid: child.pid!,
    close: async () => {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function nginxConfig(folder: string, port: number, appPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; ${temporary}
  keepalive_requests 100000000;
  upstream app { server 127.0.0.1:${appPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`;
}
