// What may be in the sidecar's bundle, and what it may load before it listens: every kilobyte is read
// at every start of every pod (docs/decisions/0014-sidecar-bundle.md).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleSidecar } from '../../scripts/bundle.js';

const ROOT = join(import.meta.dirname, '..', '..');
const ENTRY = 'queueproxy/start';
const OUTPUT = `${ENTRY}.cjs`;
const MAINS = ['main.js', 'main.cjs'];
/** Other folders belong to other roles. */
const SOURCES =
  /^src\/(api\/duration\.ts|(clock|errors|pki|proxy|queueproxy|settings|shm|telemetry|wire)\/)/;
const PACKAGES = [
  '@bufbuild/protobuf',
  // pino and what it is made of
  '@pinojs/redact',
  'atomic-sleep',
  'on-exit-leak-free',
  'pino',
  'pino-std-serializers',
  'quick-format-unescaped',
  'safe-stable-stringify',
  'sonic-boom',
];
/** Each takes a millisecond or more to load. */
const NOT_AT_START = ['crypto', 'http', 'http2', 'https', 'inspector', 'tls', 'worker_threads'];

const folder = mkdtempSync(join(tmpdir(), 'pilotlight-bundle-'));
const BUNDLE = join(folder, OUTPUT);
let metafiles: Awaited<ReturnType<typeof bundleSidecar>>;
beforeAll(async () => {
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  metafiles = await bundleSidecar(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const inputs = (): string[] =>
  Object.keys(metafiles)
    .filter((entry) => !MAINS.includes(entry))
    .flatMap((entry) => Object.keys(metafiles[entry]?.inputs ?? {}));

/** Runs a line of script with the bundle as `bundle` in a sidecar's environment. */
function runWithBundle(script: string, args: string[] = []): { stdout: string; stderr: string } {
  const code = `(async (bundle) => { ${script} })(require(${JSON.stringify(BUNDLE)}))`;
  const result = spawnSync(process.execPath, [...args, '-e', code], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  return { stdout: result.stdout, stderr: result.stderr };
}

const ENVIRONMENT = {
  CONTAINER_CONCURRENCY: '0',
  OBSERVABILITY_CONFIG: '{"requestMetrics":{"protocol":"prometheus"}}',
  QUEUE_ADMIN_PORT: '0',
  QUEUE_BIND_ADDRESS: '127.0.0.1',
  QUEUE_METRICS_PORT: '0',
  QUEUE_SERVING_PORT: '0',
  QUEUE_SERVING_TLS_PORT: '0',
  QUEUE_STATS_PORT: '0',
  REVISION_IDLE_TIMEOUT_SECONDS: '1',
  REVISION_RESPONSE_START_TIMEOUT_SECONDS: '1',
  REVISION_TIMEOUT_SECONDS: '1',
  SERVING_CONFIGURATION: 'c',
  SERVING_LOGGING_CONFIG: '',
  SERVING_LOGGING_LEVEL: 'info',
  SERVING_NAMESPACE: 'n',
  SERVING_POD: 'p',
  SERVING_POD_IP: '127.0.0.1',
  SERVING_READINESS_PROBE: '{"tcpSocket":{"host":"127.0.0.1","port":9}}',
  SERVING_REVISION: 'r',
  SERVING_SERVICE: 's',
  USER_PORT: '9',
};

const START = `
  const env = ${JSON.stringify(ENVIRONMENT)};
  const timer = (start, stop) => (ms, run) => { const t = start(run, ms); return { cancel: () => stop(t) }; };
  const clock = {
    nowMs: Date.now, monotonicMs: () => performance.now(), preciseNowMs: () => performance.now(),
    setTimer: timer(setTimeout, clearTimeout), setTicker: timer(setInterval, clearInterval),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
  const started = await bundle.startQueueProxy({
    env: { ...env, SERVING_LOGGING_LEVEL: 'error' }, clock, random: () => 0.5, onSignal: () => undefined, exit: (code) => process.exit(code),
    printError: console.error, limitMemory: async () => undefined,
  });`;

describe('the sidecar bundle', () => {
  it('holds nothing of src/kube or of another role', () => {
    const sources = inputs().filter((path) => path.startsWith('src/'));
    expect(sources).toContain(`src/${ENTRY}.ts`);
    expect(sources.filter((path) => !SOURCES.test(path))).toEqual([]);
  });

  it('holds no package beside the logger and the protobuf primitives', () => {
    const packages = inputs().map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
    const names = new Set(packages.filter((name) => name !== undefined));
    expect([...names].filter((name) => !PACKAGES.includes(name))).toEqual([]);
  });

  it('is one file beside main, and main holds no role', () => {
    for (const entry of [...MAINS, OUTPUT]) {
      const outputs = Object.keys(metafiles[entry]?.outputs ?? {});
      expect(outputs.filter((path) => !path.endsWith('.map'))).toHaveLength(1);
    }
    const own = MAINS.flatMap((main) => Object.keys(metafiles[main]?.inputs ?? {}));
    const allowed = /^(src\/(main\.ts|clock\/|settings\/)|scripts\/sidecar-loader\.js)/;
    expect(own.filter((path) => !allowed.test(path))).toEqual([]);
  });

  it('has its compiled code beside it, which V8 accepts', () => {
    const loader = JSON.stringify(join(ROOT, 'scripts', 'sidecar-loader.js'));
    const url = JSON.stringify(pathToFileURL(join(folder, 'queueproxy/')).href);
    const code = `import(${loader}).then(({ runBundle }) => {
      const cache = require('node:fs').readFileSync(new URL('start.cache', ${url}));
      console.log(runBundle(new URL(${url}), cache).script.cachedDataRejected);
    })`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'false\n', stderr: '' });
  });

  it('is what main runs, as script and as module, whatever the role was chosen by', () => {
    const env = { PATH: process.env['PATH'], QUEUE_SERVING_PORT: '0', SERVING_POD: 'p' };
    const choices = [[], ['--role', 'queueproxy'], ['queueproxy']];
    const commands = MAINS.flatMap((main) => choices.map((args) => [join(folder, main), ...args]));
    for (const args of commands) {
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: 'required key CONTAINER_CONCURRENCY missing value\n',
      });
    }
  });

  it('runs from its compiled code in a process of its own, and ends at the second signal', async () => {
    const child = spawn(process.execPath, [join(folder, 'main.cjs')], { env: ENVIRONMENT });
    const errors = text(child.stderr);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    expect(JSON.parse(line)).toMatchObject({ message: 'Starting queue-proxy' });
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    // A second signal may only follow once the first was taken.
    await once(createInterface(child.stdout), 'line');
    child.kill('SIGTERM');
    expect(await exited).toEqual([1, null]);
    expect(await errors).toBe('');
  });

  it('listens without http2, TLS, crypto or worker threads loaded', () => {
    const { stdout, stderr } = runWithBundle(`${START}
      console.log(JSON.stringify([started !== null, process.moduleLoadList]));
      process.exit(0);`);
    expect(stderr).toBe('');
    const [isListening, loaded] = JSON.parse(stdout) as [boolean, string[]];
    expect(isListening).toBe(true);
    const names = NOT_AT_START.map((name) => `NativeModule ${name}`);
    expect(loaded.filter((name) => names.includes(name))).toEqual([]);
  });

  it('names its sources in stack traces when source maps are on', () => {
    const script = `
      const options = { env: {}, onSignal: () => undefined, exit: () => undefined };
      options.printError = () => { throw new Error('here'); };
      await bundle.startQueueProxy(options);`;
    const { stderr } = runWithBundle(script, ['--enable-source-maps']);
    expect(stderr).toContain('src/queueproxy/start.ts:');
  });
});
