// `pilotlight apply -f`: every object in turn, as kubectl says it: created, configured, unchanged.

import { resourceName } from '../api/kinds.ts';
import { connect } from './api-connection.ts';
import { applyManifest } from './apply-object.ts';
import { ManifestError } from './errors.ts';
import { loadManifests } from './manifests.ts';
import type { CommandContext } from './program.ts';
import type { RunOptions } from './run-folder.ts';

export interface ApplyOptions extends RunOptions {
  file: string[];
  namespace: string;
}

/** Goes on after a refused object and reports all of them at the end. */
export async function apply(options: ApplyOptions, context: CommandContext): Promise<void> {
  const manifests = loadManifests(options.file);
  const client = await connect(options, context.env);
  const problems: string[] = [];
  try {
    for (const manifest of manifests) {
      try {
        const { kind, object, outcome } = await applyManifest(client, manifest, options);
        context.print(`${resourceName(kind)}/${object.metadata.name} ${outcome}`);
      } catch (error) {
        if (!(error instanceof ManifestError)) throw error;
        problems.push(...error.problems);
      }
    }
  } finally {
    client.close();
  }
  if (problems.length > 0) throw new ManifestError(problems);
}
