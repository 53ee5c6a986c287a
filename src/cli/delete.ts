// `pilotlight delete`: by kind and names, or the objects of a file.

import { findKind, type Kind, resourceName } from '../api/kinds.ts';
import { isNotFound, type KubeClient, type ObjectName } from '../kube/types.ts';
import { connect } from './api-connection.ts';
import { CommandError, EXIT_USAGE } from './errors.ts';
import { findKinds } from './kind-names.ts';
import { loadManifests } from './manifests.ts';
import type { CommandContext } from './program.ts';
import type { RunOptions } from './run-folder.ts';

export interface DeleteCommandOptions extends RunOptions {
  file?: string[];
  namespace: string;
}

export async function deleteObjects(
  kindName: string | undefined,
  names: string[],
  options: DeleteCommandOptions,
  context: CommandContext,
): Promise<void> {
  const targets = targetsOf(kindName, names, options);
  const client = await connect(options, context.env);
  const missing: string[] = [];
  try {
    for (const { kind, key } of targets) {
      const shown = `${resourceName(kind)} "${key.name}"`;
      if (await deleteOne(client, kind, key)) context.print(`${shown} deleted`);
      else missing.push(`${shown} not found`);
    }
  } finally {
    client.close();
  }
  if (missing.length > 0) throw new CommandError(missing.join('\n'));
}

interface Target {
  kind: Kind;
  key: ObjectName;
}

function targetsOf(
  kindName: string | undefined,
  names: readonly string[],
  options: DeleteCommandOptions,
): Target[] {
  const { namespace, file = [] } = options;
  if (file.length > 0) {
    return loadManifests(file).map(({ object }) => {
      const kind = findKind(object.apiVersion, object.kind);
      if (kind === undefined)
        throw new CommandError(`kind "${object.kind}" is not known here`, EXIT_USAGE);
      return { kind, key: { namespace, ...object.metadata } };
    });
  }
  if (kindName === undefined || names.length === 0) {
    throw new CommandError('name a kind and at least one object, or a file with -f', EXIT_USAGE);
  }
  return findKinds(kindName).flatMap((kind) =>
    names.map((name) => ({ kind, key: kind.namespaced ? { namespace, name } : { name } })),
  );
}

async function deleteOne(client: KubeClient, kind: Kind, key: ObjectName): Promise<boolean> {
  const { namespace, name } = key;
  try {
    await client.delete(kind, { namespace, name }, { propagationPolicy: 'Background' });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
