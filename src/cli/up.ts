// `pilotlight up`: checks what was asked for, then hands over to the root process, which is this
// process from then on. Everything wrong with the options is said at once.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock/clock.ts';
import { parseImage } from '../settings/image-map.ts';
import {
  flag,
  integer,
  matching,
  oneOf,
  readSettings,
  type SettingsSources,
} from '../settings/settings.ts';
import { runRoot } from '../standalone/root.ts';
import { Terminal } from '../standalone/terminal.ts';
import type { UpRequest } from '../standalone/up-settings.ts';
import type { CommandContext } from './program.ts';
import { dataDirOf } from './run-folder.ts';

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
/** Of the environment of whoever starts it, pods see this and no more. */
const PASSED_ON = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR'] as const;

const TABLE = {
  file: { flag: 'file', env: null, fallback: [] as string[], parse: list, repeatable: true },
  port: { flag: 'port', env: 'PILOTLIGHT_PORT', fallback: null, parse: port },
  apiPort: { flag: 'api-port', env: 'PILOTLIGHT_API_PORT', fallback: null, parse: port },
  dataDir: { flag: 'data-dir', env: 'PILOTLIGHT_DATA_DIR', fallback: null, parse: text },
  name: {
    flag: 'name',
    env: 'PILOTLIGHT_NAME',
    fallback: 'default',
    parse: matching(LABEL, 'lower-case letters, digits and dashes'),
  },
  domain: {
    flag: 'domain',
    env: 'PILOTLIGHT_DOMAIN',
    fallback: null,
    parse: (value: string): string | null => matching(DOMAIN, 'a domain name')(value),
  },
  image: { flag: 'image', env: null, fallback: [] as string[], parse: image, repeatable: true },
  isEphemeral: { flag: 'ephemeral', env: null, fallback: false, parse: flag },
  durability: {
    flag: 'durability',
    env: 'PILOTLIGHT_DURABILITY',
    fallback: 'kernel' as const,
    parse: oneOf('kernel', 'disk'),
  },
  sidecar: {
    flag: 'sidecar',
    env: 'PILOTLIGHT_SIDECAR',
    fallback: 'hosted' as const,
    parse: oneOf('hosted', 'process'),
  },
  httpEngine: {
    flag: 'http-engine',
    env: 'PILOTLIGHT_HTTP_ENGINE',
    fallback: 'net' as const,
    parse: oneOf('net', 'uws'),
  },
  logFormat: {
    flag: 'log-format',
    env: 'PILOTLIGHT_LOG_FORMAT',
    fallback: 'auto' as const,
    parse: oneOf('auto', 'plain', 'json'),
  },
} as const;

/** Runs until stopped; resolves with the exit code. */
export function up(
  given: Readonly<Record<string, string | string[] | boolean>>,
  context: CommandContext,
): Promise<number> {
  const settings = readSettings(TABLE, { flags: asTexts(given), env: context.env });
  const { name, sidecar, durability, isEphemeral, domain, image: images } = settings;
  const request: UpRequest = {
    name,
    dataDir: dataDirOf({ name, dataDir: settings.dataDir ?? undefined }, context.env),
    isEphemeral,
    durability: durability as UpRequest['durability'],
    files: settings.file.map((path) => resolve(path)),
    port: settings.port,
    apiPort: settings.apiPort,
    domain,
    images,
    sidecar: sidecar as UpRequest['sidecar'],
    httpEngine: settings.httpEngine as UpRequest['httpEngine'],
    startDir: process.cwd(),
    baseEnv: pick(context.env, PASSED_ON),
    programArgv: [process.execPath, fileURLToPath(new URL('../main.js', import.meta.url))],
    env: context.env,
  };
  // Nobody reads any more (`| head`): the services go on all the same.
  process.stdout.on('error', () => undefined);
  const terminal = new Terminal({
    format: settings.logFormat as 'auto' | 'plain' | 'json',
    output: process.stdout,
    clock: systemClock,
  });
  return runRoot(request, terminal, systemClock);
}

function asTexts(
  given: Readonly<Record<string, string | string[] | boolean>>,
): SettingsSources['flags'] {
  const entries = Object.entries(given);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      // Commander names `--api-port` apiPort.
      key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      typeof value === 'boolean' ? String(value) : value,
    ]),
  );
}

function pick(
  env: CommandContext['env'],
  names: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

function port(value: string): number | null {
  return integer(0, 65_535)(value);
}

function text(value: string): string | null {
  return value;
}

function list(value: string): string[] {
  return [value];
}

function image(value: string): string[] {
  parseImage(value);
  return [value];
}
