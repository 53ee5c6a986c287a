// The manifests of config/ against a real API server, by the names the server itself gives in discovery,
// because they hold kinds the product has no code for (roles, webhook configurations).

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../src/api/objects.ts';
import { loadManifests } from '../../../src/cli/manifests.ts';
import type { KubeClient } from '../../../src/kube/types.ts';

const CONFIG = join(import.meta.dirname, '..', '..', '..', 'config');

interface ResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

/** Every object of config/, in the order of file names. */
export function manifests(): KubeObject[] {
  const files = readdirSync(CONFIG, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .sort();
  return loadManifests(files.map((name) => join(CONFIG, name))).map(({ object }) => object);
}

/** As `kubectl apply --server-side --validate=strict`; rejects with the server's answer. */
export async function applyStrictly(
  client: KubeClient,
  object: KubeObject,
  options: { dryRun: boolean },
): Promise<void> {
  const { name } = object.metadata;
  const query = 'fieldManager=pilotlight-test&force=true&fieldValidation=Strict';
  const dryRun = options.dryRun ? '&dryRun=All' : '';
  const path = `${await collectionPath(client, object)}/${name}?${query}${dryRun}`;
  const contentType = 'application/apply-patch+yaml';
  const answer = await client.request('PATCH', path, { contentType, body: object });
  answer.body.resume();
}

async function collectionPath(client: KubeClient, object: KubeObject): Promise<string> {
  const { apiVersion, kind, metadata } = object;
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const answer = await client.request('GET', base);
  let text = '';
  for await (const chunk of answer.body) text += String(chunk);
  const { resources } = JSON.parse(text) as ResourceList;
  const found = resources.find((each) => each.kind === kind && !each.name.includes('/'));
  if (found === undefined) throw new Error(`the server knows no ${kind} in ${apiVersion}`);
  const scope = found.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
  return `${base}${scope}/${found.name}`;
}
