// Which Revisions and Configurations a Route uses, and what their metadata should then say (CP-370
// to CP-372). Pure.

import {
  ROUTES_ANNOTATION,
  ROUTING_STATE_ACTIVE,
  ROUTING_STATE_LABEL,
  ROUTING_STATE_MODIFIED_ANNOTATION,
  ROUTING_STATE_RESERVE,
} from '../../api/labels.ts';
import { controllerOf, type KubeObject } from '../../api/objects.ts';
import type { Configuration, Revision, Route } from '../../api/serving.ts';
import type { TrafficSources } from '../route/traffic.ts';

export interface RoutedNames {
  readonly revisions: ReadonlySet<string>;
  readonly configurations: ReadonlySet<string>;
}

/** CP-370. */
export function routedNames(route: Route, sources: TrafficSources): RoutedNames {
  const { namespace } = route.metadata;
  const revisions = new Set<string>();
  const configurations = new Set<string>();
  const addRevision = (name: string | undefined): Revision | undefined => {
    const revision = name ? sources.revisions.get(namespace, name) : undefined;
    if (revision !== undefined) revisions.add(revision.metadata.name);
    return revision;
  };
  for (const entry of [...(route.status?.traffic ?? []), ...(route.spec.traffic ?? [])]) {
    let configurationName = entry.configurationName;
    if (entry.revisionName) {
      const revision = addRevision(entry.revisionName);
      const owner = revision === undefined ? undefined : controllerOf(revision);
      configurationName = owner?.kind === 'Configuration' ? owner.name : undefined;
    }
    if (!configurationName) continue;
    const configuration = sources.configurations.get(namespace, configurationName);
    if (configuration === undefined) continue;
    configurations.add(configurationName);
    if (entry.latestRevision) addRevision(configuration.status?.latestCreatedRevisionName);
  }
  return { revisions, configurations };
}

export function routesOf(object: KubeObject): string[] {
  const text = object.metadata.annotations?.[ROUTES_ANNOTATION] ?? '';
  return text.split(',').filter((name) => name !== '');
}

/** A merge patch of metadata; values null are removed. null when nothing changes. */
export function routesPatch(
  object: Revision | Configuration,
  route: string,
  isRouted: boolean,
  now: string,
): object | null {
  const before = routesOf(object);
  const after = new Set(before);
  if (isRouted) after.add(route);
  else after.delete(route);
  const annotations: Record<string, string | null> = {};
  if (after.size !== before.length) {
    annotations[ROUTES_ANNOTATION] = after.size === 0 ? null : [...after].sort().join(',');
  }
  const labels: Record<string, string> = {};
  if (object.kind === 'Revision') {
    const state = after.size > 0 ? ROUTING_STATE_ACTIVE : ROUTING_STATE_RESERVE;
    if (object.metadata.labels?.[ROUTING_STATE_LABEL] !== state) {
      labels[ROUTING_STATE_LABEL] = state;
      annotations[ROUTING_STATE_MODIFIED_ANNOTATION] = now;
    }
  }
  if (Object.keys(annotations).length === 0 && Object.keys(labels).length === 0) return null;
  return {
    metadata: { annotations, ...(Object.keys(labels).length === 0 ? {} : { labels }) },
  };
}
