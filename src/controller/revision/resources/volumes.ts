// Volumes the platform adds to a pod, and what of them the sidecar mounts (CP-208). Pure.

import { isAdmitted, isEnabled } from '../../../api/config/features.ts';
import type { ServingConfig } from '../../../api/config/registry.ts';
import type { Volume, VolumeMount } from '../../../api/core.ts';
import { QUEUE_PROXY_PODINFO_ANNOTATION } from '../../../api/labels.ts';
import type { Revision } from '../../../api/serving.ts';

const TOKEN_LIFETIME_SECONDS = 3600;
export const SERVING_CERTS_SECRET = 'serving-certs';

export interface PlatformVolumes {
  volumes: Volume[];
  queueProxyMounts: VolumeMount[];
}

export function makePlatformVolumes(revision: Revision, config: ServingConfig): PlatformVolumes {
  const volumes: Volume[] = [];
  const queueProxyMounts: VolumeMount[] = [];
  if (wantsPodInfo(revision, config)) {
    const fieldRef = { fieldPath: 'metadata.annotations' };
    volumes.push({ name: 'pod-info', downwardAPI: { items: [{ path: 'annotations', fieldRef }] } });
    queueProxyMounts.push({ name: 'pod-info', mountPath: '/etc/podinfo', readOnly: true });
  }
  const audiences = config.deployment.queueSidecarTokenAudiences;
  if (audiences.length > 0) {
    volumes.push({ name: 'knative-token-volume', projected: { sources: tokens(audiences) } });
    const mountPath = '/var/run/secrets/tokens';
    queueProxyMounts.push({ name: 'knative-token-volume', mountPath });
  }
  if (config.network.systemInternalTls) {
    volumes.push({ name: 'server-certs', secret: { secretName: SERVING_CERTS_SECRET } });
    const mountPath = '/var/lib/knative/certs';
    queueProxyMounts.push({ name: 'server-certs', mountPath, readOnly: true });
  }
  if (config.observability.enableVarLogCollection) {
    volumes.push({ name: 'knative-var-log', emptyDir: {} });
  }
  return { volumes, queueProxyMounts };
}

function tokens(audiences: readonly string[]): { serviceAccountToken: { path: string } }[] {
  return audiences.map((audience) => ({
    serviceAccountToken: {
      audience,
      expirationSeconds: TOKEN_LIFETIME_SECONDS,
      path: audience,
    },
  }));
}

function wantsPodInfo(revision: Revision, { features }: ServingConfig): boolean {
  const feature = 'queueproxy.mount-podinfo';
  if (isEnabled(features, feature)) return true;
  const asked = revision.metadata.annotations?.[QUEUE_PROXY_PODINFO_ANNOTATION] ?? '';
  return isAdmitted(features, feature) && asked.toLowerCase() === 'enabled';
}
