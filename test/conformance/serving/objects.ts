// Objects the rows create, as users write them: only what the row is about, the rest by default.

import { join } from 'node:path';
import { ROOT } from '../../support/pilotlight.ts';
import type { AnyObject } from './resources.ts';

/** Greets, and names the revision that does; see examples/hello. */
export const HELLO = [process.execPath, join(ROOT, 'examples', 'hello', 'server.js')];
/** No pod until somebody asks: most rows are about objects only. */
const ASLEEP = { 'autoscaling.knative.dev/initial-scale': '0' };

export interface Template {
  name?: string;
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  env?: Record<string, string>;
  image?: string;
  command?: string[];
  /** More fields of the pod spec. */
  spec?: Record<string, unknown>;
  /** More fields of the container. */
  container?: Record<string, unknown>;
  /** Starts with a pod; without, the first request makes one. */
  isAwake?: boolean;
}

/** `spec.template` of a Service or a Configuration. */
export function template(options: Template = {}): Record<string, unknown> {
  const env = Object.entries(options.env ?? {}).map(([name, value]) => ({ name, value }));
  const { name, labels, isAwake = false, image = 'pilotlight/hello', command = HELLO } = options;
  return {
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...(isAwake ? {} : ASLEEP), ...options.annotations },
    },
    spec: {
      ...options.spec,
      containers: [
        {
          image,
          ...(command.length === 0 ? {} : { command }),
          ...(env.length === 0 ? {} : { env }),
          ...options.container,
        },
      ],
    },
  };
}

type Metadata = Partial<AnyObject['metadata']>;

/** A Knative Service. */
export function service(
  name: string,
  options: Template & { metadata?: Metadata; traffic?: unknown[] } = {},
): AnyObject {
  const { metadata, traffic, ...rest } = options;
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { template: template(rest), ...(traffic === undefined ? {} : { traffic }) },
  };
}

/** A Configuration of its own, without a Service. */
export function configuration(name: string, options: Template = {}): AnyObject {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Configuration',
    metadata: { name, namespace: 'default' },
    spec: { template: template(options) },
  };
}

/** A Route of its own, without a Service. */
export function route(name: string, traffic: unknown[], metadata: Metadata = {}): AnyObject {
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Route',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { traffic },
  };
}

/** A DomainMapping of host `name` to the Knative Service `target`, unless `ref` says otherwise. */
export function domainMapping(
  name: string,
  target: string,
  ref: Record<string, unknown> = {},
): AnyObject {
  const service = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: target };
  return {
    apiVersion: 'serving.knative.dev/v1beta1',
    kind: 'DomainMapping',
    metadata: { name, namespace: 'default' },
    spec: { ref: { ...service, ...ref } },
  };
}
