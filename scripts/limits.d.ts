// Types of scripts/limits.js, for the house test that calls it.

export interface Limit {
  name: string;
  value: string;
  file: string;
  meaning: string;
}

export function collectLimits(): Limit[];
export function limitsTable(): string;
export function writtenTable(): string;
