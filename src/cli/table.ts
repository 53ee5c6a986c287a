// Prints the Tables the server renders (KN-140): columns aligned, wide ones on request. Pure.

export interface ServerTable {
  columnDefinitions: { name: string; type?: string; priority?: number }[];
  rows?: { cells: unknown[]; object?: { metadata?: { namespace?: string } } }[] | null;
}

const GAP = '   ';

/** Header and rows, one line each; without rows only nothing. */
export function renderTable(
  table: ServerTable,
  options: { wide: boolean; withNamespace: boolean },
): string[] {
  const shown = table.columnDefinitions
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => options.wide || (column.priority ?? 0) === 0);
  const rows = table.rows ?? [];
  if (rows.length === 0) return [];
  const lines = [
    shown.map(({ column }) => column.name.toUpperCase()),
    ...rows.map((row) => shown.map(({ index }) => cellText(row.cells[index]))),
  ];
  if (options.withNamespace) {
    lines[0]?.unshift('NAMESPACE');
    for (const [index, row] of rows.entries()) {
      lines[index + 1]?.unshift(row.object?.metadata?.namespace ?? '');
    }
  }
  return align(lines);
}

function cellText(cell: unknown): string {
  return cell === null || cell === undefined ? '' : String(cell);
}

/** Cells padded to the widest of their column. */
export function align(lines: readonly string[][]): string[] {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}
