// Small integers for strings clients choose (hosts, route tags), so that series of metrics are
// found by number and no client can make their number grow: once all places are taken, further
// names share `_OTHER`. Hot when metrics are on: one lookup per name and request.

/** Different names kept; further ones are counted as `_OTHER`. */
const MAX_NAMES = 62;
const OTHER = 1;

export class BoundedNames {
  /** 0 stands for no name, 1 for all that found no place. */
  readonly #names: string[] = ['', '_OTHER'];
  readonly #numbers = new Map<string, number>();
  /** Most requests name what the one before named. */
  #lastName = '';
  #lastNumber = 0;

  /** Below 64. */
  numberOf(name: string): number {
    if (name === this.#lastName) return this.#lastNumber;
    this.#lastNumber = this.#numbers.get(name) ?? this.#add(name);
    this.#lastName = name;
    return this.#lastNumber;
  }

  nameOf(number: number): string {
    return this.#names[number] ?? '';
  }

  #add(name: string): number {
    if (this.#numbers.size === MAX_NAMES) return OTHER;
    const number = this.#names.push(name) - 1;
    this.#numbers.set(name, number);
    return number;
  }
}
