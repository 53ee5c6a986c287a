// Spec and status of the user-facing Knative kinds (CP-84 to CP-87). Types only, apart from a few
// readers that several reconcilers share.

import type { Container, PodSpec } from './core.ts';
import { CONFIGURATION_GENERATION_LABEL } from './labels.ts';
import type { CommonStatus, KubeObject, ObjectMeta } from './objects.ts';

export interface RevisionSpec extends PodSpec {
  /** Requests inside one instance at once; 0 or absent = unlimited. */
  containerConcurrency?: number;
  timeoutSeconds?: number;
  responseStartTimeoutSeconds?: number;
  idleTimeoutSeconds?: number;
}

export interface RevisionTemplate {
  metadata?: Partial<ObjectMeta>;
  spec: RevisionSpec;
}

export interface TrafficTarget {
  tag?: string;
  revisionName?: string;
  configurationName?: string;
  latestRevision?: boolean;
  /** 0 to 100; absent = 0. */
  percent?: number;
  url?: string;
}

export interface Addressable {
  name?: string;
  url?: string;
  CACerts?: string;
  audience?: string;
}

export interface RouteStatusFields {
  url?: string;
  address?: Addressable;
  traffic?: TrafficTarget[];
}

export interface ConfigurationStatusFields {
  latestCreatedRevisionName?: string;
  latestReadyRevisionName?: string;
}

export interface KnativeService extends KubeObject {
  spec: { template: RevisionTemplate; traffic?: TrafficTarget[] };
  status?: CommonStatus & ConfigurationStatusFields & RouteStatusFields;
}

export interface Configuration extends KubeObject {
  spec: { template: RevisionTemplate };
  status?: CommonStatus & ConfigurationStatusFields;
}

export interface RevisionContainerStatus {
  name: string;
  imageDigest?: string;
}

export interface RevisionStatus extends CommonStatus {
  logUrl?: string;
  containerStatuses?: RevisionContainerStatus[];
  initContainerStatuses?: RevisionContainerStatus[];
  actualReplicas?: number;
  desiredReplicas?: number;
}

export interface Revision extends KubeObject {
  spec: RevisionSpec;
  status?: RevisionStatus;
}

export interface Route extends KubeObject {
  spec: { traffic?: TrafficTarget[] };
  status?: CommonStatus & RouteStatusFields;
}

export interface DomainMapping extends KubeObject {
  spec: {
    ref: {
      kind: string;
      name: string;
      apiVersion?: string;
      namespace?: string;
      group?: string;
      address?: string;
    };
    tls?: { secretName: string };
  };
  status?: CommonStatus & RouteStatusFields;
}

export const DEFAULT_USER_PORT = 8080;

/** CP-205: the container with ports, or the only one. */
export function servingContainer(spec: PodSpec): Container | undefined {
  const { containers } = spec;
  if (containers.length === 1) return containers[0];
  return containers.find((container) => (container.ports?.length ?? 0) > 0);
}

/** CP-207. */
export function userPort(spec: PodSpec): number {
  const ports = servingContainer(spec)?.ports ?? [];
  return ports.find((port) => (port.containerPort ?? 0) !== 0)?.containerPort ?? DEFAULT_USER_PORT;
}

/** `h2c` when the user port is named so (RC-10). */
export function revisionProtocol(spec: PodSpec): 'http1' | 'h2c' {
  const ports = servingContainer(spec)?.ports ?? [];
  return ports.some((port) => port.name === 'h2c') ? 'h2c' : 'http1';
}

/** The Configuration generation a Revision was made for; undefined when its label is no integer. */
export function configurationGeneration(revision: Revision): number | undefined {
  const text = revision.metadata.labels?.[CONFIGURATION_GENERATION_LABEL];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
