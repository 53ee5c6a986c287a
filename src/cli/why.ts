// `pilotlight why <service|revision>`: the autoscaler's last decisions with their inputs and the
// rule that bound each, in words or as JSON.

import type { DecisionsDocument } from '../api/decisions.ts';
import { KnativeService, Revision } from '../api/kinds.ts';
import type { KnativeService as Service } from '../api/serving.ts';
import { systemClock } from '../clock/clock.ts';
import { ApiError, type KubeClient } from '../kube/types.ts';
import { connect } from './api-connection.ts';
import { readDecisions } from './autoscaler-view.ts';
import { explain } from './decisions-text.ts';
import { CommandError } from './errors.ts';
import type { CommandContext } from './program.ts';
import type { RunOptions } from './run-folder.ts';

export interface WhyOptions extends RunOptions {
  namespace: string;
  json?: boolean;
}

export async function why(
  name: string,
  options: WhyOptions,
  context: CommandContext,
): Promise<void> {
  const client = await connect(options, context.env);
  try {
    const revisions = await findRevisions(client, options.namespace, name);
    const documents: DecisionsDocument[] = [];
    for (const revision of revisions) {
      const document = await readDecisions(client, options.namespace, revision);
      if (document === null) context.printError(noDecisions(revision));
      else documents.push(document);
    }
    if (documents.length === 0) throw new CommandError(`no decisions for ${name}`);
    print(documents, options, context);
  } finally {
    client.close();
  }
}

function print(
  documents: readonly DecisionsDocument[],
  options: WhyOptions,
  context: CommandContext,
): void {
  if (options.json === true) {
    const shown = documents.length === 1 ? documents[0] : documents;
    context.print(JSON.stringify(shown, null, 2));
    return;
  }
  documents.forEach((document, index) => {
    if (index > 0) context.print('');
    for (const line of explain(document, systemClock.nowMs())) context.print(line);
  });
}

function noDecisions(revision: string): string {
  return (
    `the autoscaler decides nothing for revision ${revision}: it is scaled by another class, ` +
    'or was not taken up yet'
  );
}

/** A service stands for its revisions with traffic and the one it rolls out. */
async function findRevisions(
  client: KubeClient,
  namespace: string,
  name: string,
): Promise<string[]> {
  const service = await orNull(client.get<Service>(KnativeService, { namespace, name }));
  if (service !== null) {
    const traffic = service.status?.traffic ?? [];
    const named = [
      ...traffic.map((target) => target.revisionName),
      service.status?.latestCreatedRevisionName,
    ];
    const revisions = [...new Set(named.filter((found) => found !== undefined))];
    if (revisions.length > 0) return revisions;
    throw new CommandError(`service ${name} has no revision yet`);
  }
  if ((await orNull(client.get(Revision, { namespace, name }))) !== null) return [name];
  throw new CommandError(`there is no service and no revision ${name} in namespace ${namespace}`);
}

async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return null;
    throw error;
  }
}
