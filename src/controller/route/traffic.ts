// Traffic resolution: from what a Route asks for to Revisions that can serve it (CP-270 to CP-281).
// Pure over listers. A target that cannot be had yet is no exception but an answer, with the
// condition it leads to (CP-275); what the Route already serves then stays as it is.

import { findCondition, isReady, READY } from '../../api/conditions.ts';
import { CONFIGURATION_LABEL, SERVICE_LABEL } from '../../api/labels.ts';
import {
  type Configuration,
  type Revision,
  type Route,
  revisionProtocol,
  type TrafficTarget,
} from '../../api/serving.ts';
import type { Lister } from '../../kube/types.ts';

/** Name of the group that serves the Route's own host. */
export const DEFAULT_GROUP = '';

/** One resolved entry: always a Revision. */
export interface RevisionTarget {
  readonly tag: string;
  readonly revisionName: string;
  /** The Configuration followed, or the one the Revision belongs to; `''` when neither is known. */
  readonly configurationName: string;
  readonly latestRevision: boolean;
  readonly percent: number;
  readonly protocol: 'http1' | 'h2c';
}

export interface TrafficConfig {
  /** In spec order. */
  readonly targets: readonly RevisionTarget[];
  /** CP-280: by tag, the default group first, then tags in order. */
  readonly groups: ReadonlyMap<string, readonly RevisionTarget[]>;
}

/** CP-275. */
export interface TargetProblem {
  readonly status: 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export interface TrafficSources {
  readonly configurations: Lister<Configuration>;
  readonly revisions: Lister<Revision>;
}

export interface Resolution {
  /** null when some target cannot be served. */
  readonly traffic: TrafficConfig | null;
  readonly problem: TargetProblem | null;
  /** Names of everything looked at, found or not: the Route waits for changes of them. */
  readonly configurationNames: ReadonlySet<string>;
  readonly revisionNames: ReadonlySet<string>;
}

class Resolver {
  readonly configurationNames = new Set<string>();
  readonly revisionNames = new Set<string>();
  readonly #route: Route;
  readonly #sources: TrafficSources;

  constructor(route: Route, sources: TrafficSources) {
    this.#route = route;
    this.#sources = sources;
  }

  resolve(entry: TrafficTarget): RevisionTarget | TargetProblem | null {
    if (entry.revisionName) return this.#resolveRevision(entry, entry.revisionName);
    if (entry.configurationName) return this.#resolveLatest(entry, entry.configurationName);
    return null;
  }

  #resolveRevision(entry: TrafficTarget, name: string): RevisionTarget | TargetProblem {
    const revision = this.#revision(name);
    if (revision === undefined) return missing('Revision', name);
    const foreign = notOwned(revision, this.#route);
    if (foreign !== null) return foreign;
    const problem = notReady(revision);
    if (problem !== null) return problem;
    const configurationName = revision.metadata.labels?.[CONFIGURATION_LABEL] ?? '';
    if (configurationName !== '' && this.#configuration(configurationName) === undefined) {
      return missing('Configuration', configurationName);
    }
    return target(entry, revision, configurationName, false);
  }

  #resolveLatest(entry: TrafficTarget, name: string): RevisionTarget | TargetProblem {
    const configuration = this.#configuration(name);
    if (configuration === undefined) return missing('Configuration', name);
    const latest = configuration.status?.latestReadyRevisionName;
    if (!latest) return withoutReadyRevision(configuration);
    const revision = this.#revision(latest);
    if (revision === undefined) return missing('Revision', latest);
    return notReady(revision) ?? target(entry, revision, name, true);
  }

  #configuration(name: string): Configuration | undefined {
    this.configurationNames.add(name);
    return this.#sources.configurations.get(this.#route.metadata.namespace, name);
  }

  #revision(name: string): Revision | undefined {
    this.revisionNames.add(name);
    return this.#sources.revisions.get(this.#route.metadata.namespace, name);
  }
}

export function resolveTraffic(route: Route, sources: TrafficSources): Resolution {
  const resolver = new Resolver(route, sources);
  const targets: RevisionTarget[] = [];
  let problem: TargetProblem | null = null;
  for (const entry of route.spec.traffic ?? []) {
    const found = resolver.resolve(entry);
    if (found === null) continue;
    if ('revisionName' in found) targets.push(found);
    else if (problem === null || found.status === 'False') problem = found;
  }
  const { configurationNames, revisionNames } = resolver;
  const traffic = problem === null ? { targets, groups: groupTargets(targets) } : null;
  return { traffic, problem, configurationNames, revisionNames };
}

function target(
  entry: TrafficTarget,
  revision: Revision,
  configurationName: string,
  latestRevision: boolean,
): RevisionTarget {
  return {
    tag: entry.tag ?? '',
    revisionName: revision.metadata.name,
    configurationName,
    latestRevision,
    percent: entry.percent ?? 0,
    protocol: revisionProtocol(revision.spec),
  };
}

/** CP-280. */
function groupTargets(targets: readonly RevisionTarget[]): Map<string, RevisionTarget[]> {
  const groups = new Map<string, RevisionTarget[]>([[DEFAULT_GROUP, []]]);
  const tags = [...new Set(targets.map(({ tag }) => tag))].filter((tag) => tag !== '').sort();
  for (const tag of tags) groups.set(tag, []);
  for (const each of targets) {
    addMerged(groups.get(DEFAULT_GROUP)!, each);
    if (each.tag !== '') addMerged(groups.get(each.tag)!, each);
  }
  for (const group of groups.values()) {
    if (group.length === 1) group[0] = { ...group[0]!, percent: 100 };
  }
  return groups;
}

function addMerged(group: RevisionTarget[], added: RevisionTarget): void {
  const index = group.findIndex(({ revisionName }) => revisionName === added.revisionName);
  const existing = group[index];
  if (existing === undefined) group.push(added);
  else group[index] = { ...existing, percent: existing.percent + added.percent };
}

function missing(kind: 'Configuration' | 'Revision', name: string): TargetProblem {
  const message = `${kind} "${name}" referenced in traffic not found.`;
  return { status: 'False', reason: `${kind}Missing`, message };
}

function notReady(revision: Revision): TargetProblem | null {
  if (isReady(revision)) return null;
  const { name } = revision.metadata;
  const reason = 'RevisionMissing';
  if (findCondition(revision, READY)?.status === 'False') {
    return { status: 'False', reason, message: `Revision "${name}" failed to become ready.` };
  }
  return { status: 'Unknown', reason, message: `Revision "${name}" is not yet ready.` };
}

function withoutReadyRevision(configuration: Configuration): TargetProblem {
  const { name } = configuration.metadata;
  const reason = 'RevisionMissing';
  if (findCondition(configuration, READY)?.status === 'False') {
    const message = `Configuration "${name}" does not have any ready Revision.`;
    return { status: 'False', reason, message };
  }
  const message = `Configuration "${name}" is waiting for a Revision to become ready.`;
  return { status: 'Unknown', reason, message };
}

/** A Service's Route serves that Service's Revisions only. */
function notOwned(revision: Revision, route: Route): TargetProblem | null {
  const expected = route.metadata.labels?.[SERVICE_LABEL];
  if (!expected) return null;
  const actual = revision.metadata.labels?.[SERVICE_LABEL];
  if (actual === expected) return null;
  const { name } = revision.metadata;
  const message = actual
    ? `Revision "${name}" belongs to Service "${actual}", not Service "${expected}".`
    : `Revision "${name}" does not belong to Service "${expected}".`;
  return { status: 'False', reason: 'RevisionNotOwned', message };
}
