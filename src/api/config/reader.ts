// Reads the data of one ConfigMap (CP-100): typed values with defaults, and every problem collected
// with its key and text instead of stopping at the first. Values are trimmed; unknown keys are
// ignored. Where a key has a legacy spelling, the legacy one is read first and the new one
// overrides it.

import { parseDurationMs } from '../duration.ts';
import { parseQuantity } from '../quantity.ts';

export type ConfigMapData = Readonly<Record<string, string>>;

/** A frozen value, or everything that is wrong with the map. */
export type ParsedConfig<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly string[] };

const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_WORDS = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);
const MAX_INT64 = 2n ** 63n - 1n;

export class ConfigReader {
  readonly problems: string[] = [];
  readonly #data: ConfigMapData;

  constructor(data: ConfigMapData | undefined) {
    this.#data = data ?? {};
  }

  /** Trimmed text of the first present key; `keys` go from the winning spelling to the oldest. */
  raw(...keys: string[]): string | undefined {
    for (const key of keys) {
      const value = this.#data[key];
      if (value !== undefined) return value.trim();
    }
    return undefined;
  }

  text(fallback: string, ...keys: string[]): string {
    return this.raw(...keys) ?? fallback;
  }

  boolean(fallback: boolean, ...keys: string[]): boolean {
    return this.#parsed(fallback, keys, parseBoolean);
  }

  integer(fallback: number, ...keys: string[]): number {
    return this.#parsed(fallback, keys, parseInteger);
  }

  number(fallback: number, ...keys: string[]): number {
    return this.#parsed(fallback, keys, parseFloat64);
  }

  durationMs(fallback: number, ...keys: string[]): number {
    return this.#parsed(fallback, keys, parseDurationMs);
  }

  /** A Kubernetes quantity as written; undefined when absent. */
  quantity(...keys: string[]): string | undefined {
    return this.#parsed<string | undefined>(undefined, keys, (text) => {
      parseQuantity(text);
      return text;
    });
  }

  /** Comma-separated, trimmed, without repeats. */
  set(fallback: readonly string[], ...keys: string[]): readonly string[] {
    const text = this.raw(...keys);
    if (text === undefined) return fallback;
    const words = text.split(',').map((word) => word.trim());
    return Object.freeze([...new Set(words)].sort());
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  /** The frozen value, unless problems were found. */
  finish<T extends object>(value: T): ParsedConfig<T> {
    if (this.problems.length > 0) return { ok: false, problems: this.problems };
    return { ok: true, value: Object.freeze(value) };
  }

  #parsed<T>(fallback: T, keys: readonly string[], parse: (text: string) => T): T {
    const key = keys.find((candidate) => this.#data[candidate] !== undefined);
    if (key === undefined) return fallback;
    try {
      return parse(this.#data[key]!.trim());
    } catch (error) {
      this.problem(`failed to parse "${key}": ${errorText(error)}`);
      return fallback;
    }
  }
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function parseBoolean(text: string): boolean {
  if (TRUE_WORDS.has(text)) return true;
  if (FALSE_WORDS.has(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Whether an annotation says yes; what is no boolean says no. */
export function isTrueAnnotation(text: string | undefined): boolean {
  return text !== undefined && TRUE_WORDS.has(text);
}

export function parseInteger(text: string): number {
  const quoted = JSON.stringify(text);
  if (!/^[-+]?\d+$/.test(text)) {
    throw new Error(`strconv.ParseInt: parsing ${quoted}: invalid syntax`);
  }
  const value = BigInt(text.replace(/^\+/, ''));
  if (value > MAX_INT64 || value < -MAX_INT64 - 1n) {
    throw new Error(`strconv.ParseInt: parsing ${quoted}: value out of range`);
  }
  return Number(value);
}

export function parseFloat64(text: string): number {
  const syntax = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/;
  if (!syntax.test(text)) {
    throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}
