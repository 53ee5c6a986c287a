// config-features (CP-103): what beyond the basic contract a cluster admits. A value nobody knows
// is ignored, so this map cannot be invalid. WH-70, WH-71 say which checks need exactly `Enabled`.

import { type ConfigMapData, ConfigReader, type ParsedConfig } from './reader.ts';

export type Flag = 'Enabled' | 'Allowed' | 'Disabled';
export type SecurePodDefaults = 'Enabled' | 'AllowRootBounded' | 'Disabled';

/** Key in the map -> default. The keys are Knative's, so code and YAML can be compared by eye. */
export const FLAG_DEFAULTS = {
  'multi-container': 'Enabled',
  'kubernetes.podspec-volumes-emptydir': 'Enabled',
  'multi-container-probing': 'Disabled',
  'autodetect-http2': 'Disabled',
  'tag-header-based-routing': 'Disabled',
  'queueproxy.mount-podinfo': 'Disabled',
  'queueproxy.resource-defaults': 'Disabled',
  'kubernetes.podspec-affinity': 'Disabled',
  'kubernetes.podspec-topologyspreadconstraints': 'Disabled',
  'kubernetes.podspec-hostaliases': 'Disabled',
  'kubernetes.podspec-fieldref': 'Disabled',
  'kubernetes.podspec-nodeselector': 'Disabled',
  'kubernetes.podspec-runtimeclassname': 'Disabled',
  'kubernetes.podspec-securitycontext': 'Disabled',
  'kubernetes.podspec-shareprocessnamespace': 'Disabled',
  'kubernetes.podspec-hostipc': 'Disabled',
  'kubernetes.podspec-hostpid': 'Disabled',
  'kubernetes.podspec-hostnetwork': 'Disabled',
  'kubernetes.podspec-priorityclassname': 'Disabled',
  'kubernetes.podspec-schedulername': 'Disabled',
  'kubernetes.podspec-tolerations': 'Disabled',
  'kubernetes.podspec-dnspolicy': 'Disabled',
  'kubernetes.podspec-dnsconfig': 'Disabled',
  'kubernetes.podspec-init-containers': 'Disabled',
  'kubernetes.podspec-persistent-volume-claim': 'Disabled',
  'kubernetes.podspec-persistent-volume-write': 'Disabled',
  'kubernetes.podspec-volumes-hostpath': 'Disabled',
  'kubernetes.podspec-volumes-csi': 'Disabled',
  'kubernetes.podspec-volumes-ephemeral': 'Disabled',
  'kubernetes.podspec-volumes-image': 'Disabled',
  'kubernetes.podspec-volumes-mount-propagation': 'Disabled',
  'kubernetes.containerspec-addcapabilities': 'Disabled',
} as const satisfies Record<string, Flag>;

export type FeatureName = keyof typeof FLAG_DEFAULTS;

export interface FeaturesConfig {
  readonly flags: Readonly<Record<FeatureName, Flag>>;
  readonly securePodDefaults: SecurePodDefaults;
}

const FLAG_WORDS: Readonly<Record<string, Flag>> = {
  enabled: 'Enabled',
  allowed: 'Allowed',
  disabled: 'Disabled',
};
const SECURE_WORDS: Readonly<Record<string, SecurePodDefaults>> = {
  enabled: 'Enabled',
  allowrootbounded: 'AllowRootBounded',
  disabled: 'Disabled',
};

export function parseFeaturesConfig(data?: ConfigMapData): ParsedConfig<FeaturesConfig> {
  const reader = new ConfigReader(data);
  const flags: Record<FeatureName, Flag> = { ...FLAG_DEFAULTS };
  for (const name of Object.keys(FLAG_DEFAULTS) as FeatureName[]) {
    flags[name] = FLAG_WORDS[reader.text('', name).toLowerCase()] ?? flags[name];
  }
  const secure = SECURE_WORDS[reader.text('', 'secure-pod-defaults').toLowerCase()];
  return reader.finish({
    flags: Object.freeze(flags),
    securePodDefaults: secure ?? 'Disabled',
  });
}

export function isEnabled(features: FeaturesConfig, name: FeatureName): boolean {
  return features.flags[name] === 'Enabled';
}

/** `Allowed` or `Enabled`. */
export function isAdmitted(features: FeaturesConfig, name: FeatureName): boolean {
  return features.flags[name] !== 'Disabled';
}
