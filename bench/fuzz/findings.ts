// What a fuzz run found: violations, which end it, and tallies of differences that are allowed, each
// with the shortest message that shows it.

/** A difference that must not be. `kind` stays the same while the message is made smaller. */
export interface Violation {
  kind: string;
  detail: string;
}

interface Entry {
  count: number;
  /** The shortest message seen, escaped. */
  example: string;
  exampleBytes: number;
}

/** How often each category was seen. */
export class Tally {
  readonly entries = new Map<string, Entry>();

  add(category: string, message: Buffer): void {
    const entry = this.entries.get(category);
    if (entry === undefined) {
      this.entries.set(category, {
        count: 1,
        example: shown(message),
        exampleBytes: message.length,
      });
      return;
    }
    entry.count += 1;
    if (message.length >= entry.exampleBytes) return;
    entry.example = shown(message);
    entry.exampleBytes = message.length;
  }

  get total(): number {
    let sum = 0;
    for (const { count } of this.entries.values()) sum += count;
    return sum;
  }

  /** Most frequent first. */
  sorted(): [string, Entry][] {
    return [...this.entries].sort(([, a], [, b]) => b.count - a.count);
  }
}

/** Bytes as a JavaScript string literal that gives them back as latin1. */
export function shown(bytes: Buffer): string {
  const escaped = JSON.stringify(bytes.toString('latin1'));
  return escaped.replace(
    /[\x7f-\xff]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** A violation when the two differ. */
export function differs(kind: string, ours: unknown, theirs: unknown): Violation | null {
  if (ours === theirs) return null;
  const [left, right] = [JSON.stringify(ours), JSON.stringify(theirs)];
  return left === right ? null : { kind, detail: `ours ${left}, llhttp ${right}` };
}
