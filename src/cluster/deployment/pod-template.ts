// From a Deployment's template to its pods. Pods belong to the Deployment directly: there are no
// ReplicaSets, so the pod's `pod-template-hash` label says which version of the template made it.
// Pure. The hash covers the template as stored, with members in any order.

import { createHash } from 'node:crypto';
import type { Deployment, Pod, PodTemplateSpec } from '../../api/core.ts';
import { controllerReference } from '../../api/objects.ts';

export const TEMPLATE_HASH_LABEL = 'pod-template-hash';
const HASH_CHARACTERS = 10;
/** What the Kubernetes API uses for generated names: no vowels, so no words. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const NAME_SUFFIX_CHARACTERS = 5;
/** Pod names double as host names, which end at 63 characters. */
const MAX_NAME_CHARACTERS = 63;

/** Cached objects are never changed, so the template object stands for its content. */
const knownHashes = new WeakMap<PodTemplateSpec, string>();

/** Same content, same hash; valid as a label value. */
export function templateHash(template: PodTemplateSpec): string {
  let hash = knownHashes.get(template);
  if (hash === undefined) {
    const text = JSON.stringify(template, sortMembers);
    hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_CHARACTERS);
    knownHashes.set(template, hash);
  }
  return hash;
}

function sortMembers(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `<deployment>-<5 random characters>`. */
export function randomPodName(deploymentName: string, random: () => number): string {
  let suffix = '';
  while (suffix.length < NAME_SUFFIX_CHARACTERS) {
    suffix += NAME_ALPHABET[Math.floor(random() * NAME_ALPHABET.length)];
  }
  const base = deploymentName.slice(0, MAX_NAME_CHARACTERS - NAME_SUFFIX_CHARACTERS - 1);
  return `${base}-${suffix}`;
}

/** `nodeName` binds the pod at once, where there is only one node. */
export function buildPod(deployment: Deployment, name: string, nodeName?: string): Pod {
  const { template } = deployment.spec;
  const { namespace } = deployment.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template.metadata?.labels, [TEMPLATE_HASH_LABEL]: templateHash(template) },
      ...(template.metadata?.annotations === undefined
        ? {}
        : { annotations: { ...template.metadata.annotations } }),
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      restartPolicy: 'Always',
      ...template.spec,
      ...(nodeName === undefined ? {} : { nodeName }),
    },
  };
}
