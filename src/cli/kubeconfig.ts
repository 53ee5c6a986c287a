// `pilotlight kubeconfig`: for other tools, such as kubectl.

import { existsSync, readFileSync } from 'node:fs';
import { CommandError } from './errors.ts';
import type { CommandContext } from './program.ts';
import { kubeconfigPath, type RunOptions } from './run-folder.ts';

export async function kubeconfig(
  options: RunOptions & { raw?: boolean },
  context: CommandContext,
): Promise<void> {
  const path = kubeconfigPath(options, context.env);
  if (!existsSync(path)) {
    throw new CommandError(`there is no ${path} yet: \`pilotlight up\` writes it`);
  }
  context.print(options.raw === true ? readFileSync(path, 'utf8').trimEnd() : path);
}
