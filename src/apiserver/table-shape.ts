// How a table of a built-in kind is written down: its columns as words, its cells as a function.
// Pure.

import type { KubeObject } from '../api/objects.ts';
import { humanAge } from './human-age.ts';
import type { Cell, ColumnDefinition, TableShape } from './table.ts';

export const NONE = '<none>';
/** Endpoints named in one cell; the rest is counted. */
export const MAX_SHOWN_ENDPOINTS = 3;

/** `Name` first; a leading `+` marks a column of `-o wide`, a trailing `#` an integer. */
export function columns(...names: string[]): ColumnDefinition[] {
  return names.map((text) => {
    const name = text.replace(/^\+|#$/g, '');
    return {
      name,
      type: text.endsWith('#') ? 'integer' : 'string',
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: text.startsWith('+') ? 1 : 0,
    };
  });
}

export function shape<T extends KubeObject>(
  definitions: ColumnDefinition[],
  cells: (object: T, age: string, nowMs: number) => Cell[],
): TableShape {
  return {
    columns: definitions,
    cells: (object, nowMs) =>
      cells(object as T, humanAge(object.metadata.creationTimestamp, nowMs), nowMs),
  };
}
