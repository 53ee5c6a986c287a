// The one source of chance behind the fuzzer: a seed decides every message.

export type Random = () => number;

/** mulberry32: small, seedable, good enough to vary test input. Uniform in [0, 1). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Uniform in 0 … `below` - 1. */
export function int(random: Random, below: number): number {
  return Math.floor(random() * below);
}

export function pick<T>(random: Random, options: readonly T[]): T {
  return options[int(random, options.length)]!;
}

/** Mostly `usual`; one of `odd` with probability `oddity`. */
export function mostly<T>(random: Random, usual: T, odd: readonly T[], oddity: number): T {
  return random() < oddity ? pick(random, odd) : usual;
}
