// What the activator reads from a Revision object, once per change instead of per request. Pure.

import { findCondition } from '../api/conditions.ts';
import { type Revision, revisionProtocol, servingContainer } from '../api/serving.ts';
import type { RevisionProtocol } from './destinations.ts';

/** Applies when `timeoutSeconds` is absent; defaulting normally fills it in (ACT-34). */
const DEFAULT_TIMEOUT_SECONDS = 300;

export interface RevisionSettings {
  /** Requests per pod at once, 0 = unlimited. */
  readonly containerConcurrency: number;
  readonly protocol: RevisionProtocol;
  readonly timeoutMs: number;
  /** 0 = none. */
  readonly responseStartTimeoutMs: number;
  /** 0 = none. */
  readonly idleTimeoutMs: number;
  /** ACT-94. */
  readonly earlyReady: boolean;
  /** Why the revision cannot start, for people; null while nothing is known to be wrong. */
  readonly failure: string | null;
}

export function readRevisionSettings(revision: Revision): RevisionSettings {
  const { spec } = revision;
  return {
    containerConcurrency: Math.max(0, spec.containerConcurrency ?? 0),
    protocol: revisionProtocol(spec),
    timeoutMs: (spec.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000,
    responseStartTimeoutMs: (spec.responseStartTimeoutSeconds ?? 0) * 1000,
    idleTimeoutMs: (spec.idleTimeoutSeconds ?? 0) * 1000,
    earlyReady: isEarlyReady(revision),
    failure: readFailure(revision),
  };
}

/** ACT-94: off when somebody other than the sidecar decides about readiness. */
function isEarlyReady({ spec }: Revision): boolean {
  if (servingContainer(spec)?.readinessProbe?.exec !== undefined) return false;
  return spec.containers.every((container) => container.startupProbe === undefined);
}

function readFailure(revision: Revision): string | null {
  for (const type of ['ContainerHealthy', 'ResourcesAvailable']) {
    const condition = findCondition(revision, type);
    if (condition?.status !== 'False') continue;
    const { namespace, name } = revision.metadata;
    const detail = [condition.reason, condition.message].filter(Boolean).join(': ');
    return `revision ${namespace}/${name} cannot start: ${detail}`;
  }
  return null;
}
