// Where our API server answers otherwise than kube-apiserver, and why. The test fails for a difference
// that is not listed, and for a row that no longer explains any.

export interface KnownDifference {
  /** Titles of steps. */
  readonly steps: RegExp;
  /** Paths in the answer, as compare.ts writes them. */
  readonly path: RegExp;
  readonly reason: string;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [];
