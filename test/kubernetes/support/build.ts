// Builds the real API server of server/ with Go, once per version: the binary lies in the user's cache
// folder under a name made of everything it was built from. The first build takes many minutes and
// downloads modules; later runs find the file. Versions are those of server/go.mod.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const SERVER = join(import.meta.dirname, '..', 'server');
const VERSION_PACKAGE = 'k8s.io/component-base/version';

export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'pilotlight');
}

/** `v1.36.3`: of Kubernetes, as server/go.mod requires it. */
export function kubernetesVersion(): string {
  const module = readFileSync(join(SERVER, 'go.mod'), 'utf8');
  const version = /^\s*k8s\.io\/kubernetes (v\S+)$/m.exec(module)?.[1];
  if (version === undefined) throw new Error('server/go.mod requires no k8s.io/kubernetes');
  return version;
}

/** Path of the binary; null when it is not built yet and there is no Go to build it with. */
export async function buildRealServer(say: (line: string) => void): Promise<string | null> {
  const folder = cacheFolder();
  const binary = join(folder, `kubernetes-api-${kubernetesVersion()}-${sourceHash()}`);
  if (existsSync(binary)) return binary;
  if (spawnSync('go', ['version']).status !== 0) return null;
  mkdirSync(folder, { recursive: true });
  say(`building kube-apiserver ${kubernetesVersion()}: once, many minutes`);
  // Two runs may build at the same time: each its own file, the name appears whole.
  const unfinished = `${binary}.${process.pid}`;
  await goBuild(unfinished);
  renameSync(unfinished, binary);
  say(`built ${binary}`);
  return binary;
}

async function goBuild(output: string): Promise<void> {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion()) ?? [];
  const values = { gitVersion: kubernetesVersion(), gitMajor: major, gitMinor: minor };
  const flags = Object.entries(values).map(
    ([name, value]) => `-X ${VERSION_PACKAGE}.${name}=${value}`,
  );
  const args = ['build', '-trimpath', '-ldflags', `-s -w ${flags.join(' ')}`, '-o', output, '.'];
  const child = spawn('nice', ['-n', '10', 'go', ...args], {
    cwd: SERVER,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`go build of ${SERVER} failed with exit code ${code}`);
}

function sourceHash(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(SERVER).sort()) {
    if (/\.go$|^go\.(mod|sum)$/.test(name)) hash.update(readFileSync(join(SERVER, name)));
  }
  return hash.digest('hex').slice(0, 12);
}
