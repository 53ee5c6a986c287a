// The product's own client of the real API server, as every test file here opens it.

import { Namespace } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/objects.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import { createKubeClient } from '../../../src/kube/client.ts';
import { loadKubeconfig } from '../../../src/kube/kubeconfig.ts';
import { isAlreadyExists, type KubeClient } from '../../../src/kube/types.ts';
import { silentLogger } from '../../../src/telemetry/logger.ts';

export async function openClient(kubeconfig: string): Promise<KubeClient> {
  return createKubeClient({
    ...(await loadKubeconfig(kubeconfig)),
    clock: systemClock,
    logger: silentLogger,
    userAgent: 'pilotlight-test',
  });
}

export async function ensureNamespace(client: KubeClient, name: string): Promise<void> {
  const object: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  try {
    await client.create(Namespace, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
