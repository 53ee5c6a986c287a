// Everything in config/ is accepted by a real API server as it stands, with strict validation: what
// `kubectl apply` of an installation would send.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SYSTEM_NAMESPACE } from '../../src/api/labels.ts';
import type { KubeClient } from '../../src/kube/types.ts';
import { ensureNamespace, openClient } from './support/client.ts';
import { installKinds } from './support/crds.ts';
import { applyStrictly, manifests } from './support/manifests.ts';

const { kubeconfig } = inject('cluster');
let client: KubeClient;

beforeAll(async () => {
  if (kubeconfig === null) return;
  client = await openClient(kubeconfig);
  await installKinds(client);
  await ensureNamespace(client, SYSTEM_NAMESPACE);
});
afterAll(() => client?.close());

describe.skipIf(kubeconfig === null)('config/ is accepted by a real API server', () => {
  const rows = manifests().map((object) => {
    const { kind, metadata } = object;
    return [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, object] as const;
  });
  it.each(rows)('%s', async (_name, object) => {
    await expect(applyStrictly(client, object, { dryRun: true })).resolves.toBeUndefined();
  });
});
