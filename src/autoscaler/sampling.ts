// How many pods to read and what their stats say about all of them (AS-69 to AS-74). Pure.

import { emptyStat, type Stat } from '../wire/stat.ts';

/** AS-69: 1.96 squared (95 % confidence) times variance 100 over an error of 5 squared. */
const POPULATION_SAMPLE = (1.96 ** 2 * 100) / 5 ** 2;
const SMALL_POPULATION = 3;
const SCRAPER_NAME = 'service-scraper';

/** AS-69: never above 16. */
export function sampleSize(population: number): number {
  if (population <= SMALL_POPULATION) return population;
  return Math.ceil((population * POPULATION_SAMPLE) / (population + POPULATION_SAMPLE - 1));
}

/** AS-71: which pods to try, in order. `random` yields [0, 1). */
export function orderCandidates<T>(
  old: readonly T[],
  young: readonly T[],
  size: number,
  random: () => number,
): T[] {
  return old.length < size
    ? [...old, ...shuffled(young, random)]
    : [...shuffled(old, random), ...young];
}

/** AS-74: sums of the sampled stats, brought up to the whole population. */
export function extrapolate(sampled: readonly Stat[], size: number, population: number): Stat {
  const total = emptyStat(SCRAPER_NAME);
  for (const stat of sampled) {
    total.averageConcurrentRequests += stat.averageConcurrentRequests;
    total.averageProxiedConcurrentRequests += stat.averageProxiedConcurrentRequests;
    total.requestCount += stat.requestCount;
    total.proxiedRequestCount += stat.proxiedRequestCount;
  }
  total.averageConcurrentRequests = (total.averageConcurrentRequests / size) * population;
  total.averageProxiedConcurrentRequests =
    (total.averageProxiedConcurrentRequests / size) * population;
  total.requestCount = (total.requestCount / size) * population;
  total.proxiedRequestCount = (total.proxiedRequestCount / size) * population;
  return total;
}

/** AS-63: traffic that came through an activator is counted there; may be negative. */
export function directConcurrency(stat: Stat): number {
  return stat.averageConcurrentRequests - stat.averageProxiedConcurrentRequests;
}

/** AS-63. */
export function directRate(stat: Stat): number {
  return stat.requestCount - stat.proxiedRequestCount;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
