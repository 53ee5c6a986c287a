// `pilotlight get`: what the server says about objects, printed as it rendered them.

import { stringify } from 'yaml';
import { type Kind, resourceName, resourcePath } from '../api/kinds.ts';
import type { KubeList, KubeObject } from '../api/objects.ts';
import type { KubeClient } from '../kube/types.ts';
import { connect } from './api-connection.ts';
import { readText } from './apply-object.ts';
import { CommandError, EXIT_USAGE } from './errors.ts';
import { findKinds } from './kind-names.ts';
import type { CommandContext } from './program.ts';
import type { RunOptions } from './run-folder.ts';
import { renderTable, type ServerTable } from './table.ts';

export interface GetOptions extends RunOptions {
  namespace: string;
  allNamespaces?: boolean;
  output?: string;
  selector?: string;
}

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const FORMATS = ['wide', 'yaml', 'json', 'name'];

export async function get(
  kindNames: string,
  names: string[],
  options: GetOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = options;
  if (output !== undefined && !FORMATS.includes(output)) {
    throw new CommandError(`--output must be one of ${FORMATS.join(', ')}`, EXIT_USAGE);
  }
  const kinds = findKinds(kindNames);
  const client = await connect(options, context.env);
  try {
    if (output === undefined || output === 'wide') {
      await printTables(client, kinds, names, options, context);
    } else {
      const objects = await Promise.all(kinds.map((kind) => fetch(client, kind, names, options)));
      printObjects(objects.flat(), output, context);
    }
  } finally {
    client.close();
  }
}

async function printTables(
  client: KubeClient,
  kinds: readonly Kind[],
  names: string[],
  options: GetOptions,
  context: CommandContext,
): Promise<void> {
  let printed = 0;
  for (const kind of kinds) {
    const paths =
      names.length === 0
        ? [pathOf(kind, undefined, options)]
        : names.map((name) => pathOf(kind, name, options));
    for (const path of paths) {
      const response = await client.request('GET', path, { accept: TABLE });
      const table = JSON.parse(await readText(response.body)) as ServerTable;
      const withNamespace = options.allNamespaces === true && kind.namespaced;
      const lines = renderTable(table, { wide: options.output === 'wide', withNamespace });
      if (lines.length === 0) continue;
      if (printed > 0) context.print('');
      if (kinds.length > 1) context.print(`# ${resourceName(kind)}`);
      for (const line of lines) context.print(line);
      printed += 1;
    }
  }
  if (printed === 0) context.printError(nothingFound(options));
}

function nothingFound(options: GetOptions): string {
  return options.allNamespaces === true
    ? 'No resources found.'
    : `No resources found in namespace ${options.namespace}.`;
}

async function fetch(
  client: KubeClient,
  kind: Kind,
  names: readonly string[],
  options: GetOptions,
): Promise<KubeObject[]> {
  if (names.length === 0) {
    const response = await client.request('GET', pathOf(kind, undefined, options));
    const list = JSON.parse(await readText(response.body)) as KubeList;
    return list.items;
  }
  const { namespace } = options;
  return Promise.all(names.map((name) => client.get(kind, { namespace, name })));
}

function pathOf(kind: Kind, name: string | undefined, options: GetOptions): string {
  const namespace = options.allNamespaces === true ? undefined : options.namespace;
  const path = resourcePath(kind, namespace, name);
  const { selector } = options;
  return selector === undefined || name !== undefined
    ? path
    : `${path}?labelSelector=${encodeURIComponent(selector)}`;
}

function printObjects(objects: KubeObject[], output: string, context: CommandContext): void {
  if (output === 'name') {
    for (const { kind, metadata } of objects) {
      context.print(`${kind.toLowerCase()}/${metadata.name}`);
    }
    return;
  }
  const [only] = objects;
  const shown =
    objects.length === 1 && only !== undefined
      ? only
      : { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items: objects };
  context.print(output === 'json' ? JSON.stringify(shown, null, 2) : stringify(shown).trimEnd());
}
