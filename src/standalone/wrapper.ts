// What to put in front of a pod's command so that the kernel itself kills it when the root dies.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Empty where `setpriv` does not exist (macOS, some minimal images). */
export function findWrapper(path: string | undefined): readonly string[] {
  if (process.platform !== 'linux') return [];
  for (const folder of (path ?? '').split(delimiter)) {
    const candidate = join(folder, 'setpriv');
    try {
      accessSync(candidate, constants.X_OK);
      return [candidate, '--pdeathsig', 'KILL', '--'];
    } catch {
      // Not in this folder.
    }
  }
  return [];
}
