// Reads stats through the Service of a revision, where a mesh keeps pods from being reached one by
// one (AS-75, AS-76). Which pod answers is the mesh's choice, so workers ask until they meet pods
// nobody has met before; old pods count first, young ones fill up.

import type { Stat } from '../wire/stat.ts';
import { extrapolate, sampleSize } from './sampling.ts';
import type { ScrapeClient } from './scrape-client.ts';
import type { ScrapeFailure, ScrapeOutcome, ScrapeTarget } from './scraper.ts';

/** AS-75: tries of one worker; then it gives up with its last failure. */
export const MAX_TRIES = 10;
/** AS-75: meshes route by the Service's name and the queue-proxy's standard port. */
const STAT_PORT = 9090;
const ALREADY_SEEN = 'did not receive stat from an unscraped pod';

interface Meeting {
  seen: Set<string>;
  old: Stat[];
  young: Stat[];
  size: number;
  stableWindowMs: number;
}

/** `readyPods` >= 0. */
export async function scrapeService(
  target: ScrapeTarget,
  readyPods: number,
  stableWindowMs: number,
  client: ScrapeClient,
): Promise<ScrapeOutcome> {
  if (readyPods === 0) return { stat: null, failure: null };
  const size = sampleSize(readyPods);
  const meeting: Meeting = { seen: new Set(), old: [], young: [], size, stableWindowMs };
  const host = `${target.serviceName}.${target.namespace}`;
  const work = () => meetPods(host, meeting, client);
  const failures = await Promise.all(Array.from({ length: size }, work));
  const enough = meeting.old.length + meeting.young.length >= size;
  const problems = failures.filter((problem) => problem !== null);
  const fatal = problems.find((problem) => problem !== ALREADY_SEEN);
  const cause = fatal ?? (enough ? undefined : problems[0]);
  if (cause !== undefined) return { stat: null, failure: unsuccessful(size, cause) };
  const sampled = [...meeting.old, ...meeting.young].slice(0, size);
  return { stat: extrapolate(sampled, size, readyPods), failure: null };
}

/** One worker; null = it did its part, otherwise its last failure. */
async function meetPods(
  host: string,
  meeting: Meeting,
  client: ScrapeClient,
): Promise<string | null> {
  let problem: string | null = null;
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const result = await client.scrapeOnce(host, STAT_PORT);
    if (result.stat === null) {
      problem = result.problem;
      continue;
    }
    const { stat } = result;
    if (meeting.seen.has(stat.podName)) {
      problem = ALREADY_SEEN;
      continue;
    }
    meeting.seen.add(stat.podName);
    if (stat.processUptime * 1000 >= meeting.stableWindowMs) {
      meeting.old.push(stat);
      return null;
    }
    if (meeting.young.length < meeting.size) meeting.young.push(stat);
    if (meeting.young.length >= meeting.size) return null;
  }
  return problem;
}

function unsuccessful(size: number, cause: string): ScrapeFailure {
  return {
    condition: cause === ALREADY_SEEN ? 'DidNotReceiveStat' : 'CollectionFailed',
    message: `unsuccessful scrape, sampleSize=${size}: ${cause}`,
  };
}
