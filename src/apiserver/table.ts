// Tables as kubectl prints them (KN-140 to KN-144): columns from a kind's row, or hand-written
// cells where a built-in kind shows more than a path. Pure; time is an argument.

import type { Kind, PrinterColumn } from '../api/kinds.ts';
import type { KubeObject } from '../api/objects.ts';
import { humanAge } from './human-age.ts';
import { compileJsonPath } from './json-path.ts';
import { badRequest } from './status-error.ts';
import { BUILTIN_TABLES } from './table-builtin.ts';

export interface ColumnDefinition {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export type Cell = string | number | boolean | null;

export interface TableShape {
  columns: readonly ColumnDefinition[];
  cells(object: KubeObject, nowMs: number): Cell[];
}

export type IncludeObject = 'Metadata' | 'None' | 'Object';

export interface TableRow {
  cells: Cell[];
  object: object | null;
}

export interface Table {
  kind: 'Table';
  apiVersion: 'meta.k8s.io/v1';
  metadata: object;
  columnDefinitions: readonly ColumnDefinition[];
  rows: TableRow[];
}

const NAME_COLUMN: ColumnDefinition = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
};

/** KN-142: columns of a kind without any. */
const DEFAULT_COLUMNS: readonly PrinterColumn[] = [
  { name: 'Age', type: 'date', path: '.metadata.creationTimestamp' },
];

const shapes = new WeakMap<Kind, TableShape>();

export function tableShapeOf(kind: Kind): TableShape {
  const known = shapes.get(kind);
  if (known !== undefined) return known;
  const shape = BUILTIN_TABLES[`${kind.group}/${kind.kind}`] ?? shapeFromColumns(kind.columns);
  shapes.set(kind, shape);
  return shape;
}

function shapeFromColumns(given: readonly PrinterColumn[]): TableShape {
  const columns = given.length === 0 ? DEFAULT_COLUMNS : given;
  const readers = columns.map((column) => {
    const find = compileJsonPath(column.path);
    return (object: KubeObject, nowMs: number): Cell => toCell(column, find(object), nowMs);
  });
  return {
    columns: [
      NAME_COLUMN,
      ...columns.map(({ name, type, priority = 0, format = '', description = '' }) => ({
        name,
        type,
        format,
        description,
        priority,
      })),
    ],
    cells: (object, nowMs) => [
      object.metadata.name,
      ...readers.map((readCell) => readCell(object, nowMs)),
    ],
  };
}

function toCell(column: PrinterColumn, found: readonly unknown[], nowMs: number): Cell {
  if (column.type === 'date') return humanAge(found[0], nowMs);
  const [first] = found;
  if (first === undefined || first === null) return null;
  if (column.type === 'string') return found.map(asText).join(',');
  return typeof first === 'number' || typeof first === 'boolean' ? first : null;
}

function asText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** KN-141: `Metadata` unless the query says otherwise. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') || 'Metadata';
  if (value === 'None' || value === 'Object' || value === 'Metadata') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: ` +
      "must be 'Metadata', 'Object', 'None', or empty",
  );
}

export function toRow(
  kind: Kind,
  object: KubeObject,
  include: IncludeObject,
  nowMs: number,
): TableRow {
  const cells = tableShapeOf(kind).cells(object, nowMs);
  if (include === 'None') return { cells, object: null };
  return { cells, object: include === 'Object' ? object : toPartialMetadata(object) };
}

export function toPartialMetadata(object: KubeObject): object {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata,
  };
}

export function toTable(
  kind: Kind,
  objects: readonly KubeObject[],
  options: { metadata: object; include: IncludeObject; nowMs: number; hasColumns?: boolean },
): Table {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions: options.hasColumns === false ? [] : tableShapeOf(kind).columns,
    rows: objects.map((object) => toRow(kind, object, options.include, options.nowMs)),
  };
}
