// Puts into a fresh API what a cluster would have been installed with: namespaces, the stock
// ConfigMaps, the one node. Existing objects stay as they are, except for what this start was asked
// to set.

import { readdirSync } from 'node:fs';
import { availableParallelism, hostname, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigMap, CoreService, Endpoints, findKind, Namespace, Node } from '../api/kinds.ts';
import {
  ACTIVATOR_SERVICE,
  PILOTLIGHT_CERTIFICATE_CLASS,
  SYSTEM_NAMESPACE,
} from '../api/labels.ts';
import type { KubeObject } from '../api/objects.ts';
import { loadManifests } from '../cli/manifests.ts';
import type { KubeClient } from '../kube/types.ts';
import { NODE_NAME } from '../node/agent.ts';
import { timestamp } from '../node/pod-status.ts';
import { createIfMissing } from './system-services.ts';

const NAMESPACES = ['default', SYSTEM_NAMESPACE];
/** Pods the node says it has room for; nothing is refused beyond it. */
const SHOWN_PODS = 10_000;
/** One person owns the machine, and nobody else issues certificates on it. */
const LOCAL_SETTINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'config-network': {
    'autocreate-cluster-domain-claims': 'true',
    'certificate-class': PILOTLIGHT_CERTIFICATE_CLASS,
  },
};
/** Beside `dist/` in a checkout and in the image. */
const CONFIG_FOLDER = fileURLToPath(new URL('../../config/', import.meta.url));

export async function bootstrap(
  client: KubeClient,
  options: { domain: string | null; nowMs: number },
): Promise<void> {
  await Promise.all(
    NAMESPACES.map((name) =>
      createIfMissing(client, Namespace, { ...object('v1', 'Namespace', name) }),
    ),
  );
  await Promise.all([
    ...stockObjects().map(({ kind, object: stock }) => createIfMissing(client, kind, stock)),
    registerNode(client, options.nowMs),
    createActivatorService(client),
  ]);
  if (options.domain !== null) await setDomain(client, options.domain);
}

function object(apiVersion: string, kind: string, name: string): KubeObject {
  return { apiVersion, kind, metadata: { name } };
}

/** The ConfigMaps of config/; what else lies there is for real clusters. */
function stockObjects() {
  const files = readdirSync(CONFIG_FOLDER).filter((name) => /^config-.*\.yaml$/.test(name));
  return loadManifests(files.map((name) => join(CONFIG_FOLDER, name))).flatMap(
    ({ object: stock }) => {
      const kind = findKind(stock.apiVersion, stock.kind);
      return kind === ConfigMap ? [{ kind, object: withLocalSettings(stock) }] : [];
    },
  );
}

function withLocalSettings(stock: KubeObject & { data?: Record<string, string> }): KubeObject {
  return {
    ...stock,
    data: { ...stock.data, ...LOCAL_SETTINGS[stock.metadata.name] },
  } as KubeObject;
}

/** Empty until the data plane fills it in: "no activator yet" is not "no such Service" (CP-518). */
async function createActivatorService(client: KubeClient): Promise<void> {
  const metadata = { namespace: SYSTEM_NAMESPACE, name: ACTIVATOR_SERVICE };
  const service = { ...object('v1', 'Service', ACTIVATOR_SERVICE), metadata };
  await createIfMissing(client, CoreService, service);
  const endpoints = { ...object('v1', 'Endpoints', ACTIVATOR_SERVICE), metadata };
  await createIfMissing(client, Endpoints, endpoints);
}

async function setDomain(client: KubeClient, domain: string): Promise<void> {
  const key = { namespace: SYSTEM_NAMESPACE, name: 'config-domain' };
  const { data } = await client.get<KubeObject & { data?: Record<string, string> }>(ConfigMap, key);
  const others = Object.keys(data ?? {}).filter((name) => name !== domain && name !== '_example');
  const removed = Object.fromEntries(others.map((name) => [name, null]));
  const body = { data: { ...removed, [domain]: '' } };
  await client.patch(ConfigMap, key, { type: 'merge', body });
}

async function registerNode(client: KubeClient, nowMs: number): Promise<void> {
  const now = timestamp(nowMs);
  await createIfMissing(client, Node, {
    ...object('v1', 'Node', NODE_NAME),
    metadata: { name: NODE_NAME, labels: { 'kubernetes.io/hostname': NODE_NAME } },
  });
  const room = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(SHOWN_PODS),
  };
  const status = {
    capacity: room,
    allocatable: room,
    addresses: [
      { type: 'InternalIP', address: '127.0.0.1' },
      { type: 'Hostname', address: hostname() },
    ],
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'KubeletReady',
        message: 'pods run as local processes',
        lastHeartbeatTime: now,
        lastTransitionTime: now,
      },
    ],
    nodeInfo: {
      kubeletVersion: 'pilotlight',
      kernelVersion: release(),
      osImage: `${process.platform} ${release()}`,
      operatingSystem: process.platform,
      architecture: process.arch,
      containerRuntimeVersion: 'process://1',
    },
  };
  const patch = { type: 'merge', body: { status } } as const;
  await client.patch(Node, { name: NODE_NAME }, patch, { subresource: 'status' });
}
