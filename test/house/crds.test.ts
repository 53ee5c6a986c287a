// The manifests under config/crds are the definitions of our own kinds, as the embedded API serves
// them; on a cluster somebody applies them. `npx vitest -u` here writes them anew.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { definitionOf } from '../../src/api/custom-resource.ts';
import { ALL_KINDS } from '../../src/api/kinds.ts';
import { schemaOf } from '../../src/api/schema.ts';

const folder = join(import.meta.dirname, '..', '..', 'config', 'crds');

const definitions = ALL_KINDS.flatMap((kind) => {
  const schema = kind.custom ? schemaOf(kind) : undefined;
  return schema === undefined ? [] : [definitionOf(kind, schema)];
});

const fileOf = (name: string): string => `${name}.yaml`;

it.each(definitions.map((definition) => [definition.metadata.name, definition] as const))(
  'config/crds has the definition of %s',
  async (name, definition) => {
    const text = `# Written by test/house/crds.test.ts from src/api: change it there.\n`;
    const manifest = text + stringify(definition, { aliasDuplicateObjects: false });
    await expect(manifest).toMatchFileSnapshot(join(folder, fileOf(name)));
  },
);

it('config/crds has nothing else', () => {
  const expected = definitions.map(({ metadata }) => fileOf(metadata.name)).sort();
  expect(readdirSync(folder).sort()).toEqual(expected);
});

it('every custom kind has a schema', () => {
  expect(definitions.length).toBe(ALL_KINDS.filter(({ custom }) => custom).length);
});
