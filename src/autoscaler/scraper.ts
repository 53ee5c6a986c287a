// Reads the stats of a revision's pods and makes one figure of them (AS-64 to AS-74). Pods are read
// directly, by the address and port their private Endpoints name; through the Service where the
// mesh settings say so, or where `auto` finds that pods cannot be reached (AS-67, AS-68).

import type { Endpoints, Pod } from '../api/core.ts';
import { joinKey } from '../api/objects.ts';
import type { Lister } from '../kube/types.ts';
import type { Stat } from '../wire/stat.ts';
import { isPodReady, type PodCounter } from './pod-counter.ts';
import { extrapolate, orderCandidates, sampleSize } from './sampling.ts';
import type { ScrapeClient } from './scrape-client.ts';
import { scrapeService } from './service-scraper.ts';

/** Name of the queue-proxy's stat port in the private Endpoints. */
export const STAT_PORT_NAME = 'http-autometric';

/** Compared by identity (AS-56). */
export interface ScrapeFailure {
  readonly condition: 'NoEndpoints' | 'DidNotReceiveStat' | 'CollectionFailed';
  readonly message: string;
}

export const NO_ENDPOINTS: ScrapeFailure = {
  condition: 'NoEndpoints',
  message: 'failed to get endpoints',
};
export const PODS_EXHAUSTED: ScrapeFailure = {
  condition: 'CollectionFailed',
  message: 'pods exhausted',
};
export const DIRECT_SCRAPING_UNAVAILABLE: ScrapeFailure = {
  condition: 'CollectionFailed',
  message: 'all pod scrapes returned 503 error',
};

/** `stat` null without a failure = there was nothing to read (AS-70). */
export interface ScrapeOutcome {
  stat: Stat | null;
  failure: ScrapeFailure | null;
}

export interface MeshSettings {
  mode: 'auto' | 'enabled' | 'disabled';
  podAddressability: boolean;
}

export interface ScraperDeps {
  client: ScrapeClient;
  pods: PodCounter;
  endpoints: Lister<Endpoints>;
  mesh: MeshSettings;
  random: () => number;
  /** Hears the stats of single pods, as they were read. */
  onPodStats?: (key: string, stats: readonly Stat[]) => void;
}

export interface ScrapeTarget {
  /** `namespace/revision`. */
  key: string;
  namespace: string;
  /** Private Service of the revision. */
  serviceName: string;
  /** AS-68: turned false for good once the Service answered where pods did not. */
  isAddressable: boolean;
}

interface Candidate {
  host: string;
  port: number;
  isOld: boolean;
}

/** AS-67, AS-68. `stableWindowMs` is the age from which a pod counts as old (AS-70). */
export async function scrapeRevision(
  target: ScrapeTarget,
  stableWindowMs: number,
  nowMs: number,
  deps: ScraperDeps,
): Promise<ScrapeOutcome> {
  const { mode, podAddressability } = deps.mesh;
  if (mode === 'disabled') return scrapePods(target, stableWindowMs, nowMs, deps);
  if (mode === 'auto' && (target.isAddressable || podAddressability)) {
    const outcome = await scrapePods(target, stableWindowMs, nowMs, deps);
    if (outcome.failure !== DIRECT_SCRAPING_UNAVAILABLE || podAddressability) return outcome;
  }
  const readyPods = deps.pods.ready(target.key);
  // One failure object, so that repeating it is no news (AS-56).
  if (readyPods < 0) return { stat: null, failure: NO_ENDPOINTS };
  const outcome = await scrapeService(target, readyPods, stableWindowMs, deps.client);
  if (outcome.failure === null && mode === 'auto') target.isAddressable = false;
  return outcome;
}

const NOTHING: ScrapeOutcome = { stat: null, failure: null };
const NOBODY: ScrapeOutcome = { stat: null, failure: NO_ENDPOINTS };

/** What `scrapeRevision` would find at a revision without pods; null = it has to be asked. */
export function outcomeWithoutPods(
  target: ScrapeTarget,
  { mesh, pods, endpoints }: Pick<ScraperDeps, 'mesh' | 'pods' | 'endpoints'>,
): ScrapeOutcome | null {
  const { mode, podAddressability } = mesh;
  const isReachable = target.isAddressable || podAddressability;
  const isDirect = mode === 'disabled' || (mode === 'auto' && isReachable);
  if (!isDirect || pods.hasAny(target.key)) return null;
  const found = endpoints.getByKey(joinKey(target.namespace, target.serviceName));
  return found === undefined ? NOBODY : NOTHING;
}

async function scrapePods(
  target: ScrapeTarget,
  stableWindowMs: number,
  nowMs: number,
  deps: ScraperDeps,
): Promise<ScrapeOutcome> {
  const endpoints = deps.endpoints.getByKey(joinKey(target.namespace, target.serviceName));
  if (endpoints === undefined) return { stat: null, failure: NO_ENDPOINTS };
  const candidates = findCandidates(deps.pods.pods(target.key), endpoints, stableWindowMs, nowMs);
  if (candidates.length === 0) return { stat: null, failure: null };
  const old = candidates.filter((candidate) => candidate.isOld);
  const young = candidates.filter((candidate) => !candidate.isOld);
  const size = sampleSize(candidates.length);
  const ordered = orderCandidates(old, young, size, deps.random);
  const round = await runWorkers(ordered, size, scrapeHeaders(target, deps.mesh), deps.client);
  if (round.stats.length === size) {
    deps.onPodStats?.(target.key, round.stats);
    return { stat: extrapolate(round.stats, size, candidates.length), failure: null };
  }
  const looksLikeMesh = round.stats.length === 0 && round.otherFailures === 0;
  return { stat: null, failure: looksLikeMesh ? DIRECT_SCRAPING_UNAVAILABLE : PODS_EXHAUSTED };
}

/** AS-70, with the address from the Endpoints: no pod is assumed to listen on a standard port. */
function findCandidates(
  pods: readonly Pod[],
  endpoints: Endpoints,
  stableWindowMs: number,
  nowMs: number,
): Candidate[] {
  const addresses = statAddresses(endpoints);
  const candidates: Candidate[] = [];
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp !== undefined || !isPodReady(pod)) continue;
    const address = addresses.get(pod.metadata.name);
    if (address === undefined) continue;
    const startedMs = Date.parse(pod.status?.startTime ?? '');
    candidates.push({ ...address, isOld: nowMs - startedMs >= stableWindowMs });
  }
  return candidates;
}

/** By pod name. */
function statAddresses(endpoints: Endpoints): Map<string, { host: string; port: number }> {
  const addresses = new Map<string, { host: string; port: number }>();
  for (const subset of endpoints.subsets ?? []) {
    const port = subset.ports?.find(({ name }) => name === STAT_PORT_NAME)?.port;
    if (port === undefined) continue;
    const all = [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])];
    for (const { ip, targetRef } of all) {
      if (targetRef?.name !== undefined) addresses.set(targetRef.name, { host: ip, port });
    }
  }
  return addresses;
}

/** AS-72. */
function scrapeHeaders(target: ScrapeTarget, mesh: MeshSettings): Record<string, string> {
  if (!mesh.podAddressability) return {};
  return { Host: `${target.serviceName}.${target.namespace}`, 'Knative-Direct-Lb': 'true' };
}

/** AS-72: each worker takes the next candidate until one answers. */
async function runWorkers(
  ordered: readonly Candidate[],
  size: number,
  headers: Record<string, string>,
  client: ScrapeClient,
): Promise<{ stats: Stat[]; otherFailures: number }> {
  const stats: Stat[] = [];
  let otherFailures = 0;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < ordered.length) {
      const candidate = ordered[next]!;
      next += 1;
      const result = await client.scrape(candidate.host, candidate.port, headers);
      if (result.stat !== null) {
        stats.push(result.stat);
        return;
      }
      // AS-73: only these two look like a mesh that refuses direct connections.
      if (result.status !== 502 && result.status !== 503) otherFailures += 1;
    }
  };
  await Promise.all(Array.from({ length: size }, work));
  return { stats, otherFailures };
}
