// Starts the bundled sidecar once, on free ports, and keeps the code V8 compiled on the way: what a
// start needs, and no more. A process of its own, run by the build; the argument is the folder.
import { renameSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CODE_CACHE, runBundle } from './sidecar-loader.js';

const folder = resolve(process.argv[2]);
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
  SERVING_CONFIGURATION: 'build',
  SERVING_LOGGING_CONFIG: '',
  SERVING_LOGGING_LEVEL: 'error',
  SERVING_NAMESPACE: 'build',
  SERVING_POD: 'build',
  SERVING_POD_IP: '127.0.0.1',
  SERVING_READINESS_PROBE: '{"tcpSocket":{"host":"127.0.0.1","port":9}}',
  SERVING_REVISION: 'build',
  SERVING_SERVICE: 'build',
  USER_PORT: '9',
};
const background = (timer) => {
  timer.unref();
  return { cancel: () => clearTimeout(timer) };
};
const clock = {
  nowMs: () => Date.now(),
  preciseNowMs: () => performance.timeOrigin + performance.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, callback) => background(setTimeout(callback, delayMs)),
  setTicker: (periodMs, callback) => background(setInterval(callback, periodMs)),
  sleep: (delayMs) => new Promise((done) => setTimeout(done, delayMs)),
};

const { script, exports: bundle } = runBundle(pathToFileURL(folder + sep), undefined);
const running = await bundle.startQueueProxy({
  env: ENVIRONMENT,
  clock,
  random: Math.random,
  onSignal: () => undefined,
  exit: (code) => process.exit(code),
  printError: (line) => console.error(line),
  // It would change V8's flags, and the cache is only good for the flags it was made with.
  limitMemory: () => Promise.resolve(),
});
if (running === null) process.exit(1);
const file = join(folder, CODE_CACHE);
writeFileSync(`${file}.new`, script.createCachedData());
renameSync(`${file}.new`, file);
process.exit(0);
