// Puts the kinds of the product into a real cluster: the CustomResourceDefinitions of config/, or, for a
// kind that has none there, one made of its row in src/api/kinds.ts. Those that exist stay as they are.

import { ALL_KINDS, CustomResourceDefinition, type Kind } from '../../../src/api/kinds.ts';
import type { CommonStatus, KubeObject } from '../../../src/api/objects.ts';
import { schemaOf } from '../../../src/api/schema.ts';
import { isAlreadyExists, type KubeClient } from '../../../src/kube/types.ts';
import { until } from '../../support/pilotlight.ts';
import { manifests } from './manifests.ts';

type Definition = KubeObject & { status?: CommonStatus };

export async function installKinds(client: KubeClient): Promise<void> {
  for (const definition of definitions()) {
    try {
      await client.create(CustomResourceDefinition, definition);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
  for (const { metadata } of definitions()) {
    await until(`${metadata.name} served`, async () => {
      const found = await client.get<Definition>(CustomResourceDefinition, metadata);
      const { conditions = [] } = found.status ?? {};
      return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
    });
  }
}

export function definitions(): KubeObject[] {
  const given = manifests().filter(({ kind }) => kind === CustomResourceDefinition.kind);
  const names = new Set(given.map(({ metadata }) => metadata.name));
  const made = ALL_KINDS.filter(({ custom }) => custom)
    .map(definitionOf)
    .filter(({ metadata }) => !names.has(metadata.name));
  return [...given, ...made];
}

function definitionOf(kind: Kind): KubeObject {
  const { group, version, plural, singular, shortNames, categories, columns } = kind;
  const schema = schemaOf(kind) ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const subresources = kind.subresources.includes('status') ? { subresources: { status: {} } } : {};
  const spec = {
    group,
    names: { kind: kind.kind, plural, singular, shortNames, categories },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        additionalPrinterColumns: columns.map(({ name, type, path, priority = 0 }) => ({
          name,
          type,
          jsonPath: path,
          priority,
        })),
        ...subresources,
      },
    ],
  };
  const metadata = { name: `${plural}.${group}` };
  const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
  return { ...definition, metadata, spec } as KubeObject;
}
