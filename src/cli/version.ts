// `pilotlight version`.

import { existsSync, readFileSync } from 'node:fs';
import { connect } from './api-connection.ts';
import { readText } from './apply-object.ts';
import type { CommandContext } from './program.ts';
import { kubeconfigPath, type RunOptions } from './run-folder.ts';

export function programVersion(): string {
  const url = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string };
  return version;
}

export async function version(
  options: RunOptions & { client?: boolean },
  context: CommandContext,
): Promise<void> {
  context.print(`pilotlight ${programVersion()} (Node ${process.version})`);
  if (options.client === true) return;
  // With no run here there is only one version to print, unless one was asked for by name.
  const isNamed = Object.values(options).some((value) => value !== undefined);
  if (!isNamed && !existsSync(kubeconfigPath(options, context.env))) {
    context.print('API server: none (no `pilotlight up` on this machine)');
    return;
  }
  const client = await connect(options, context.env);
  try {
    const response = await client.request('GET', '/version');
    const { gitVersion } = JSON.parse(await readText(response.body)) as { gitVersion?: string };
    context.print(`API server ${gitVersion ?? 'unknown'}`);
  } finally {
    client.close();
  }
}
