// Values of a head that keeps coming (last-head.ts): a role asks every request for the same few
// names, so what it was told about this head once is the answer for as long as the head repeats.
// Whoever reads heads has it forget everything before another head is read.
// Hot: a handful of times per request; it compares names by identity and builds no string.

import type { HeaderFields } from './header-fields.ts';

/** Names remembered; any other is looked up in the lines each time. */
const MAX_ASKED_NAMES = 16;

export class AskedValues {
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  /** What `fields.value` says; `lower` is lower-case. */
  of(fields: HeaderFields, lower: string): string {
    const names = this.#names;
    for (let index = 0; index < names.length; index += 1) {
      if (names[index] === lower) return this.#values[index]!;
    }
    const value = fields.value(lower);
    if (names.length < MAX_ASKED_NAMES) {
      names.push(lower);
      this.#values.push(value);
    }
    return value;
  }

  forget(): void {
    this.#names.length = 0;
    this.#values.length = 0;
  }
}
