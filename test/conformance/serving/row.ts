// One line of the conformance table of Knative's documented behaviour: the numbers it stands for, what
// a user may rely on, and the check that it is so. Checks see the product from outside only: the API
// over https and HTTP through the gateways. All rows of a file run at once on one `pilotlight up`, so
// a row works on objects of its own, or reads those that `shared` made, and changes nothing global.

import type { Cluster } from './cluster.ts';

export interface ServingRow {
  /** Numbers of the specification: `CP-120, WH-40`. */
  readonly cites: string;
  /** A sentence, unique over all tables; with `cites` it is the name of the test. */
  readonly says: string;
  /** Throws when the promise is not kept. */
  check(cluster: Cluster): Promise<void>;
  /** Changes what other rows see (a config map): runs by itself, after the others. */
  readonly alone: boolean;
}

export interface ServingTable {
  /** What the rows are about; a heading of docs/conformance.md. */
  readonly area: string;
  readonly rows: readonly ServingRow[];
}

/** A row that runs beside all others. */
export function row(cites: string, says: string, check: ServingRow['check']): ServingRow {
  return { cites, says, check, alone: false };
}

/** A row that changes something global, and puts it back. */
export function aloneRow(cites: string, says: string, check: ServingRow['check']): ServingRow {
  return { cites, says, check, alone: true };
}

/** What several rows look at, made by the first of them that asks; once per cluster. */
export function shared<T>(
  make: (cluster: Cluster) => Promise<T>,
): (cluster: Cluster) => Promise<T> {
  const made = new WeakMap<Cluster, Promise<T>>();
  return (cluster) => {
    const known = made.get(cluster) ?? make(cluster);
    made.set(cluster, known);
    return known;
  };
}
