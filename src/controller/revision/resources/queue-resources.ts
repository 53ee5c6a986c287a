// Resources of the sidecar (CP-215): config map, then a share of the user container's, then
// explicit annotations; later ones win. An annotation that cannot be read counts as not set. Pure.

import { isEnabled } from '../../../api/config/features.ts';
import type { ServingConfig } from '../../../api/config/registry.ts';
import type { ResourceRequirements } from '../../../api/core.ts';
import {
  firstAnnotation,
  QUEUE_SIDECAR_PREFIX,
  QUEUE_SIDECAR_RESOURCE_PERCENTAGE_ANNOTATIONS,
} from '../../../api/labels.ts';
import {
  formatCpuMilli,
  formatMemoryMilli,
  isQuantity,
  parseQuantity,
} from '../../../api/quantity.ts';
import { type Revision, servingContainer } from '../../../api/serving.ts';

type Amounts = Record<string, string>;

const MI_MILLI = 2 ** 20 * 1000;
/** Bounds of the share taken by percentage, in thousandths. */
const SHARE_BOUNDS = {
  requests: {
    cpu: [25, 100],
    memory: [50 * MI_MILLI, 200 * MI_MILLI],
  },
  limits: {
    cpu: [40, 500],
    memory: [200 * MI_MILLI, 500 * MI_MILLI],
  },
} as const;
const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'] as const;

export function queueProxyResources(
  revision: Revision,
  config: ServingConfig,
): ResourceRequirements {
  const requests: Amounts = { ...config.deployment.queueSidecarRequests };
  const limits: Amounts = { ...config.deployment.queueSidecarLimits };
  if (isEnabled(config.features, 'queueproxy.resource-defaults')) {
    requests.cpu ??= '25m';
    limits.cpu ??= '1000m';
    requests.memory ??= '400Mi';
    limits.memory ??= '800Mi';
  }
  applyShare(revision, 'requests', requests);
  applyShare(revision, 'limits', limits);
  applyAnnotations(revision, 'request', requests);
  applyAnnotations(revision, 'limit', limits);
  return {
    ...(Object.keys(requests).length > 0 ? { requests } : {}),
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
  };
}

function applyShare(revision: Revision, what: 'requests' | 'limits', amounts: Amounts): void {
  const text = firstAnnotation(
    revision.metadata.annotations,
    QUEUE_SIDECAR_RESOURCE_PERCENTAGE_ANNOTATIONS,
  );
  const percent = Number(text);
  if (text === undefined || text.trim() === '' || !Number.isFinite(percent)) return;
  for (const resource of ['cpu', 'memory'] as const) {
    const given = servingContainer(revision.spec)?.resources?.[what]?.[resource];
    const milli = given === undefined || !isQuantity(given) ? 0 : parseQuantity(given);
    if (milli === 0) continue;
    const [low, high] = SHARE_BOUNDS[what][resource];
    const share = Math.min(high, Math.max(low, Math.trunc((milli * percent) / 100)));
    amounts[resource] = resource === 'cpu' ? formatCpuMilli(share) : formatMemoryMilli(share);
  }
}

function applyAnnotations(revision: Revision, what: 'request' | 'limit', amounts: Amounts): void {
  for (const resource of RESOURCES) {
    const key = `${QUEUE_SIDECAR_PREFIX}${resource}-resource-${what}`;
    const text = revision.metadata.annotations?.[key];
    if (text !== undefined && isQuantity(text)) amounts[resource] = text;
  }
}
