// CustomResourceDefinitions (KN-24, KN-124): what one says about the kinds it defines, and the one
// that would define a kind of ours. The manifests under config/crds are written from here. Pure.

import type { Kind, PrinterColumn } from './kinds.ts';
import type { KubeObject } from './objects.ts';
import type { JsonSchema } from './schema-builder.ts';

export interface DefinitionNames {
  plural: string;
  kind: string;
  singular?: string;
  listKind?: string;
  shortNames?: string[];
  categories?: string[];
}

export interface DefinitionColumn {
  name: string;
  type: string;
  jsonPath: string;
  priority?: number;
  format?: string;
  description?: string;
}

export interface ScalePaths {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
}

export interface DefinitionVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: JsonSchema };
  subresources?: { status?: object; scale?: ScalePaths };
  additionalPrinterColumns?: DefinitionColumn[];
  selectableFields?: { jsonPath: string }[];
}

export interface CustomResourceDefinition extends KubeObject {
  spec: {
    group: string;
    scope: 'Namespaced' | 'Cluster';
    names: DefinitionNames;
    versions: DefinitionVersion[];
    conversion?: { strategy: string };
  };
  status?: { conditions?: { type: string; status: string }[]; storedVersions?: string[] };
}

const toPath = (path: string): string => (path.startsWith('.') ? path : `.${path}`);

function columnOf({ name, type, path, priority = 0 }: PrinterColumn): DefinitionColumn {
  return { name, type, jsonPath: toPath(path), ...(priority === 0 ? {} : { priority }) };
}

/** The definition of a custom kind with its schema. */
export function definitionOf(kind: Kind, schema: JsonSchema): CustomResourceDefinition {
  const { group, plural, singular, version, columns } = kind;
  const subresources = {
    ...(kind.subresources.includes('status') ? { status: {} } : {}),
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        ...(kind.categories.length === 0 ? {} : { categories: [...kind.categories] }),
        ...(kind.shortNames.length === 0 ? {} : { shortNames: [...kind.shortNames] }),
      },
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          ...(Object.keys(subresources).length === 0 ? {} : { subresources }),
          ...(columns.length === 0 ? {} : { additionalPrinterColumns: columns.map(columnOf) }),
        },
      ],
      conversion: { strategy: 'None' },
    },
  };
}

const COLUMN_TYPES = ['string', 'integer', 'number', 'boolean', 'date'];

/** The row of one version. */
export function kindOfVersion(
  { spec }: CustomResourceDefinition,
  version: DefinitionVersion,
): Kind {
  const { group, names, scope } = spec;
  const { status, scale } = version.subresources ?? {};
  const columns = (version.additionalPrinterColumns ?? []).map((column) => ({
    name: column.name,
    type: (COLUMN_TYPES.includes(column.type) ? column.type : 'string') as PrinterColumn['type'],
    path: column.jsonPath,
    priority: column.priority ?? 0,
    ...(column.description === undefined ? {} : { description: column.description }),
    ...(column.format === undefined ? {} : { format: column.format }),
  }));
  return {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    singular: names.singular || names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    subresources: [
      ...(status === undefined ? [] : ['status' as const]),
      ...(scale === undefined ? [] : ['scale' as const]),
    ],
    custom: true,
    columns,
    ...(scale === undefined ? {} : { scale }),
    ...(version.selectableFields === undefined
      ? {}
      : { selectableFields: version.selectableFields.map(({ jsonPath }) => jsonPath.slice(1)) }),
    ...(version.deprecated === true ? { deprecation: deprecationText(spec, version) } : {}),
  };
}

function deprecationText(spec: CustomResourceDefinition['spec'], version: DefinitionVersion) {
  const name = `${spec.group}/${version.name} ${spec.names.kind}`;
  return version.deprecationWarning ?? `${name} is deprecated`;
}

/** Preference order of versions: stable before beta before alpha, each newest first. */
export function compareVersions(a: string, b: string): number {
  const parse = (text: string) => /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
  const [left, right] = [parse(a), parse(b)];
  if (left === null || right === null) {
    return left === right ? (a < b ? -1 : 1) : left === null ? 1 : -1;
  }
  const rank = { beta: 1, alpha: 2 } as const;
  const stage = (match: RegExpExecArray) => rank[match[2] as 'alpha' | 'beta'] ?? 0;
  return (
    stage(left) - stage(right) ||
    Number(right[1]) - Number(left[1]) ||
    Number(right[3] ?? 0) - Number(left[3] ?? 0)
  );
}
