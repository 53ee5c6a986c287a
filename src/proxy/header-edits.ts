// Header changes of one route or revision, compiled once: forwarding asks once per request whether
// a dropped name may be there, which almost never is the case, and only then line by line.
// Hot: `mayDrop` runs once per forwarded request.

import { isToken } from './characters.ts';
import { type HeaderFields, nameBit } from './header-fields.ts';
import type { HeaderEdits } from './types.ts';

export interface HeaderEditOptions {
  /** Names to remove, any case. */
  drop?: Iterable<string>;
  /** Headers to set, replacing what the client sent. */
  set?: Readonly<Record<string, string>>;
  /** Replaces Host; null keeps the client's. */
  host?: string | null;
  /** Append the peer's address to X-Forwarded-For (QP-67). Default false. */
  forwardedFor?: boolean;
}

const NOT_VALUE = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/;

export class CompiledHeaderEdits implements HeaderEdits {
  readonly drop: ReadonlySet<string>;
  readonly add: string;
  readonly host: string | null;
  readonly forwardedFor: boolean;
  /** `nameBit` of every dropped name. */
  readonly #bits: number;
  readonly #names: readonly string[];

  /** `like` has the same `drop` and lends its tables. */
  constructor(edits: HeaderEdits, like: CompiledHeaderEdits | null = null) {
    this.drop = edits.drop;
    this.add = edits.add;
    this.host = edits.host;
    this.forwardedFor = edits.forwardedFor;
    this.#names = like === null ? [...edits.drop] : like.#names;
    this.#bits = like === null ? bitsOf(this.#names) : like.#bits;
  }

  /** The same dropped names with other values: cheap enough to do per request. */
  withValues(add: string, host: string | null): CompiledHeaderEdits {
    const { drop, forwardedFor } = this;
    return new CompiledHeaderEdits({ drop, add, host, forwardedFor }, this);
  }

  /** False when no line of `fields` has a dropped name. */
  mayDrop(fields: HeaderFields): boolean {
    return (this.#bits & fields.names) !== 0;
  }

  drops(fields: HeaderFields, index: number): boolean {
    for (const name of this.#names) {
      if (fields.isNamed(index, name)) return true;
    }
    return false;
  }
}

/**
 * Compiles header changes. Throws when a name is no token or a value holds a control character:
 * both come from configuration, so they are programmer errors here.
 */
export function createHeaderEdits(options: HeaderEditOptions): CompiledHeaderEdits {
  const drop = new Set<string>();
  for (const name of options.drop ?? []) drop.add(checkedName(name));
  let add = '';
  for (const [name, value] of Object.entries(options.set ?? {})) {
    drop.add(checkedName(name));
    add += `${name}: ${checkedValue(name, value)}\r\n`;
  }
  const host = options.host ?? null;
  if (host !== null) checkedValue('Host', host);
  const forwardedFor = options.forwardedFor ?? false;
  return new CompiledHeaderEdits({ drop, add, host, forwardedFor });
}

/** Leaves everything but the hop-by-hop headers as it is. */
export const NO_EDITS: HeaderEdits = createHeaderEdits({});

const compiled = new WeakMap<HeaderEdits, CompiledHeaderEdits>();

/** The compiled form of edits somebody wrote as a plain object. */
export function compileEdits(edits: HeaderEdits): CompiledHeaderEdits {
  if (edits instanceof CompiledHeaderEdits) return edits;
  let found = compiled.get(edits);
  if (found === undefined) {
    found = new CompiledHeaderEdits(edits);
    compiled.set(edits, found);
  }
  return found;
}

function bitsOf(names: readonly string[]): number {
  return names.reduce((bits, name) => bits | nameBit(name), 0);
}

function checkedName(name: string): string {
  if (!isToken(name)) throw new Error(`not a header name: ${JSON.stringify(name)}`);
  return name.toLowerCase();
}

function checkedValue(name: string, value: string): string {
  if (NOT_VALUE.test(value)) throw new Error(`not a value for ${name}: ${JSON.stringify(value)}`);
  return value;
}
