// Reads what the autoscaler shows of its decisions, through the API server's proxy to its Service,
// so that the commands work with any kubeconfig and need no port of their own.

import type { DecisionsDocument, DecisionsOverview } from '../api/decisions.ts';
import { ApiError, type KubeClient } from '../kube/types.ts';
import { readText } from './apply-object.ts';

const AUTOSCALER = '/api/v1/namespaces/knative-serving/services/autoscaler:http/proxy/decisions';

/** null = the autoscaler decides nothing for that revision. */
export async function readDecisions(
  client: KubeClient,
  namespace: string,
  revision: string,
): Promise<DecisionsDocument | null> {
  try {
    const response = await client.request('GET', `${AUTOSCALER}/${namespace}/${revision}`);
    return JSON.parse(await readText(response.body)) as DecisionsDocument;
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return null;
    throw error;
  }
}

export async function readOverview(client: KubeClient): Promise<DecisionsOverview> {
  const response = await client.request('GET', AUTOSCALER);
  return JSON.parse(await readText(response.body)) as DecisionsOverview;
}
