// Makes a bucket findable: a Service without selector named like it, and an EndpointSlice with the
// address of its owner (AS-172). Written by whoever gained the bucket.

import * as kinds from '../../api/kinds.ts';
import type { KubeObject } from '../../api/objects.ts';
import type { Clock } from '../../clock/clock.ts';
import { isAlreadyExists, type KubeClient } from '../../kube/types.ts';

/** AS-172. */
const RETRY_MS = 100;
const MAX_RETRIES = 30;
export const BUCKET_PORT = 8080;
const PORT_NAME = 'http';

export interface BucketEndpointsOptions {
  client: KubeClient;
  clock: Clock;
  systemNamespace: string;
  podIp: string;
  port: number;
}

/** Rejects when it cannot be done within 3 s: nobody would find the owner then. */
export async function publishBucket(
  bucket: string,
  options: BucketEndpointsOptions,
): Promise<void> {
  await retry(options.clock, () => createService(bucket, options));
  await retry(options.clock, () => writeSlice(bucket, options));
}

async function retry(clock: Clock, step: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await step();
      return;
    } catch (error) {
      if (attempt >= MAX_RETRIES) throw error;
      await clock.sleep(RETRY_MS);
    }
  }
}

async function createService(bucket: string, options: BucketEndpointsOptions): Promise<void> {
  const ports = [{ name: PORT_NAME, port: BUCKET_PORT, targetPort: options.port }];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: bucket, namespace: options.systemNamespace },
    spec: { ports },
  } as KubeObject;
  try {
    await options.client.create(kinds.CoreService, service);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function writeSlice(bucket: string, options: BucketEndpointsOptions): Promise<void> {
  const { client, systemNamespace: namespace, podIp, port } = options;
  const slice = {
    apiVersion: kinds.apiVersionOf(kinds.EndpointSlice),
    kind: kinds.EndpointSlice.kind,
    metadata: { name: bucket, namespace, labels: { 'kubernetes.io/service-name': bucket } },
    addressType: podIp.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [podIp], conditions: { ready: true } }],
    ports: [{ name: PORT_NAME, protocol: 'TCP', port }],
  } as KubeObject;
  try {
    await client.create(kinds.EndpointSlice, slice);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const existing = await client.get(kinds.EndpointSlice, { namespace, name: bucket });
    const { resourceVersion } = existing.metadata;
    const metadata = { ...slice.metadata, ...(resourceVersion ? { resourceVersion } : {}) };
    await client.update(kinds.EndpointSlice, { ...slice, metadata });
  }
}
